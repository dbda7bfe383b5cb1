"""Letters: written in the caller's transaction, sent by a worker, and tried again until the mail server takes them."""

import logging
import smtplib
import ssl
import uuid
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from flask import current_app
from sqlalchemy import ColumnElement, Index, String, and_, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from .extensions import Base, db, db_now, utcnow
from .sealing import Sealed, seal, unseal

AGAIN_SECONDS = 60
"""Until a letter that was not taken is tried again."""
GIVE_UP_SECONDS = 3 * 86400
"""Older news are none."""
TIMEOUT_SECONDS = 10
UNSENT = text("sent_at IS NULL")

log = logging.getLogger("portal.mail")


class Letter(Base):
    """An e-mail, sent or to be sent."""

    __tablename__ = "letter"
    __table_args__ = (Index("ix_letter_unsent", "created_at", sqlite_where=UNSENT, postgresql_where=UNSENT),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    sealed_body: Mapped[bytes] = mapped_column(Sealed)
    """What it says, until it is sent: its links may let somebody in."""
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    tried_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]

    @property
    def body(self) -> str:
        return unseal(self.sealed_body)


def write(recipient: str, subject: str, body: str) -> None:
    """Send a letter once the caller's transaction is committed; nothing when no mail server is configured."""
    if current_app.config["SMTP_URL"]:
        line = " ".join(subject.split())[:200]  # a line break would end the header
        db.session.add(Letter(recipient=recipient, subject=line, sealed_body=seal(body)))


def waiting() -> list[uuid.UUID]:
    """The letters that may be tried now, oldest first."""
    return list(db.session.scalars(select(Letter.id).where(_is_due()).order_by(Letter.created_at).limit(100)))


def post(letter_id: str) -> None:
    """Send one letter, unless another worker does. The RQ job behind the bell."""
    claim = update(Letter).where(Letter.id == uuid.UUID(letter_id), _is_due()).values(tried_at=db_now())
    found = db.session.scalars(claim.returning(Letter)).one_or_none()
    letter = _message(found) if found else None
    db.session.commit()  # no connection to the database is held while the mail server thinks
    if letter is None:
        return
    try:
        _hand_over(letter)
    except (OSError, smtplib.SMTPException) as error:
        log.warning("The mail server did not take a letter (%s): tried again soon", type(error).__name__)
        return
    sent = update(Letter).where(Letter.id == uuid.UUID(letter_id))
    db.session.execute(sent.values(sent_at=db_now(), sealed_body=seal("")))
    db.session.commit()


def _is_due() -> ColumnElement[bool]:
    rested = or_(Letter.tried_at.is_(None), Letter.tried_at < db_now(-AGAIN_SECONDS))
    return and_(UNSENT, Letter.created_at > db_now(-GIVE_UP_SECONDS), rested)


def _message(letter: Letter) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = _sender(), letter.recipient, letter.subject
    message["Message-ID"] = f"<{letter.id}@{_sender().rpartition('@')[2]}>"  # the same on every try
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body)
    return message


def _sender() -> str:
    """`?from=` in the address of the mail server, or whom it knows us by."""
    parts = urlsplit(current_app.config["SMTP_URL"])
    named = parse_qs(parts.query).get("from", [unquote(parts.username or "")])[0]
    return named if "@" in named else f"portal@{parts.hostname}"


def _hand_over(message: EmailMessage) -> None:
    """Speak with the mail server. Raises OSError or SMTPException when it does not take the letter."""
    parts = urlsplit(current_app.config["SMTP_URL"])
    host, secure = parts.hostname or "", parts.scheme == "smtps"
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if secure:
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_SECONDS)
    with server:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=context)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
