"""The sandbox receiver: plays the receiving server at an address of the portal itself, and fails when told to."""

import uuid
from collections.abc import Iterable
from threading import BoundedSemaphore
from typing import Any

from sqlalchemy import Select, delete, select

from .. import audit
from ..accounts.models import SandboxMode, User, Workspace
from ..extensions import db
from ..webhooks import publisher, signing
from ..webhooks.letters import MASK
from ..webhooks.models import CONTACT_EVENTS, PauseReason, State, Webhook
from ..webhooks.readings import living
from ..webhooks.verifying import verify
from .models import SandboxRequest

KEPT = 50
"""Requests that a workspace's sandbox remembers."""
KEPT_BYTES = 64 * 1024
"""How much of each body is kept: an event of one contact has about 2 KB."""
SLOW_SECONDS = 16
"""A second longer than deliveries wait for an answer."""
SLOW_AT_ONCE = 2
"""Slow answers hold a web thread each: a process refuses more of them than this, so that people get through."""
RATE = "100/second"
"""What one address takes: it is public, and each request is a row."""
CREDENTIALS = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
"""Headers whose values are not remembered, whoever sends them; nor are those that people gave to a webhook."""
ANSWERS = {SandboxMode.OK: 200, SandboxMode.ERROR: 500, SandboxMode.GONE: 410}
BUSY = 503

slow_slots = BoundedSemaphore(SLOW_AT_ONCE)


def find(token: str) -> Workspace | None:
    """The workspace whose sandbox has this address."""
    if not token.isprintable():  # PostgreSQL takes no NUL
        return None
    return db.session.scalars(select(Workspace).where(Workspace.sandbox_token == token)).one_or_none()


def webhooks_of(workspace: Workspace) -> list[Webhook]:
    """The workspace's webhooks that point at its sandbox, oldest first."""
    return [webhook for webhook in living(workspace.id) if webhook.url.endswith(f"/sandbox/{workspace.sandbox_token}")]


def point_webhook(workspace: Workspace, address: str, actor: User) -> None:
    """Make a webhook that sends every event to the sandbox, unless there is one."""
    if not webhooks_of(workspace):
        webhook = Webhook(workspace_id=workspace.id, url=address, event_types=list(CONTACT_EVENTS))
        webhook.secret, webhook.description = signing.seal(signing.new_secret()), "Sandbox receiver"
        webhook.created_by = actor.name
        db.session.add(webhook)
        db.session.flush()
        audit.note(actor, "created", webhook)


def set_mode(workspace: Workspace, mode: SandboxMode, actor: User) -> None:
    """Let it fail in that way, or recover: then what waits for it is tried at once."""
    before, workspace.sandbox_mode = workspace.sandbox_mode, mode
    audit.note(actor, "changed the sandbox receiver", workspace, {"answers": str(before)}, {"answers": str(mode)})
    if mode == SandboxMode.OK:
        for webhook in webhooks_of(workspace):
            if webhook.state == State.ACTIVE or webhook.pause_reason != PauseReason.PERSON:
                _try_now(webhook, actor)


def _try_now(webhook: Webhook, actor: User) -> None:
    if not webhook.is_active:
        audit.note(actor, "resumed", webhook)
    publisher.try_now(webhook)


def keep(workspace: Workspace, headers: Iterable[tuple[str, str]], body: bytes, answer: int | None) -> None:
    """Remember a request with the verdict on its signature, and forget the oldest."""
    webhooks = webhooks_of(workspace)
    masked = CREDENTIALS | {name.lower() for webhook in webhooks for name in signing.custom_headers(webhook)}
    pairs = [[name.lower(), MASK if name.lower() in masked else value] for name, value in headers]
    secrets = [secret for webhook in webhooks for secret in signing.secrets_of(webhook)]
    db.session.add(
        SandboxRequest(
            workspace_id=workspace.id,
            headers=pairs,
            body=body[:KEPT_BYTES],
            length=len(body),
            verdict=verify(dict(pairs), body, secrets),
            answer=answer,
        )
    )
    db.session.flush()
    older = _newest_first(workspace.id).with_only_columns(SandboxRequest.id).offset(KEPT)
    db.session.execute(delete(SandboxRequest).where(SandboxRequest.id.in_(older.scalar_subquery())))


def forget(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> None:
    """Blank the bodies that name the contact."""
    for request in latest(workspace_id):
        if str(contact_id).encode() in request.body:
            request.body = b""


def latest(workspace_id: uuid.UUID, count: int = KEPT) -> list[SandboxRequest]:
    """What came, newest first."""
    return list(db.session.scalars(_newest_first(workspace_id).limit(count)))


def _newest_first(workspace_id: uuid.UUID) -> Select[Any]:
    query = select(SandboxRequest).where(SandboxRequest.workspace_id == workspace_id)
    return query.order_by(SandboxRequest.received_at.desc(), SandboxRequest.id)
