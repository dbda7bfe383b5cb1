"""How to receive webhooks, for the developer on the other side: one page for people, schemas for machines."""
