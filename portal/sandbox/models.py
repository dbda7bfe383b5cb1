"""What the sandbox receivers got."""

import uuid
from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow
from ..webhooks.verifying import Verdict


class SandboxRequest(Base):
    """One request that a workspace's sandbox receiver got, as it came."""

    __tablename__ = "sandbox_request"
    __table_args__ = (Index(None, "workspace_id", "received_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    received_at: Mapped[datetime] = mapped_column(default=utcnow)
    headers: Mapped[list[list[str]]] = mapped_column(JSON)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Its beginning, if it is very long."""
    length: Mapped[int]
    """Bytes of the whole body."""
    verdict: Mapped[Verdict]
    answer: Mapped[int | None]
    """The status that it was answered with; None when it was left without an answer."""

    def header(self, name: str) -> str:
        """The value of a header, empty when it did not come."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def event(self) -> str:
        """The event type it says it is about; "POST" when it does not say."""
        return self.header("x-cloudcx-event") or "POST"
