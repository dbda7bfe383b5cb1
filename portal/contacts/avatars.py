"""Pictures of contacts: uploaded, drawn anew in a small square, and kept in the database.

What is served was written by Pillow, pixel by pixel: nothing of the uploaded file is left in it, be it a place in EXIF
or a script. The server never fetches a picture from an address.
"""

import io
import re
import secrets
import uuid
from collections.abc import Iterable

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from sqlalchemy import delete, select, update

from ..extensions import db
from ..web import address_of
from .models import AVATAR_TOKEN, Avatar, Contact

SIDE = 256
"""Pixels of the square; a smaller picture stays as small."""
MOST_BYTES = 5 * 1024 * 1024
MOST_PIXELS = 25_000_000
"""Decoded they take 100 MB at most. Cameras make such, bombs are of thousands of millions."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
KINDS = {"image/png": "PNG", "image/jpeg": "JPEG"}
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""What puts a picture upright, by how EXIF says that the camera was held."""
TOKEN = re.compile(AVATAR_TOKEN + r"\Z")


class NotAPicture(ValueError):  # noqa: N818  a fact to be told, not an error of the program
    """What was uploaded can't be used; the text says why and what to do."""


def drawn(upload: bytes) -> tuple[str, bytes]:
    """The picture as a square of SIDE at most: its media type and its bytes. Raises NotAPicture."""
    if not upload:
        raise NotAPicture("Choose a picture first.")
    if len(upload) > MOST_BYTES:
        raise NotAPicture("The picture is larger than 5 MB. Choose a smaller one.")
    try:
        with Image.open(io.BytesIO(upload), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            return _encoded(_square(picture))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAPicture("The picture has more than 25 million pixels. Choose a smaller one.") from None
    except UnidentifiedImageError:
        raise NotAPicture("That is no picture that we know. Choose a PNG, JPEG, WebP or GIF file.") from None
    except Exception as error:  # decoders of hostile files fail in many ways
        raise NotAPicture("The picture is damaged or incomplete. Choose another file.") from error


def keep(contact: Contact, upload: bytes) -> str:
    """Keep an uploaded picture of a contact. Returns its address, which is for the contact's `avatar_url`.

    Raises NotAPicture.
    """
    kind, data = drawn(upload)
    token = secrets.token_urlsafe(32)
    db.session.add(Avatar(workspace_id=contact.workspace_id, contact_id=contact.id, token=token, kind=kind, data=data))
    db.session.flush()
    return address_of("contacts.picture", token=token)


def settle(contact: Contact) -> None:
    """After its `avatar_url` changed: a picture that it names is the contact's now, all others of it are gone."""
    found = TOKEN.search(contact.avatar_url or "")
    token = found[1] if found else ""
    if token:
        named = update(Avatar).where(Avatar.workspace_id == contact.workspace_id, Avatar.token == token)
        db.session.execute(named.values(contact_id=contact.id).execution_options(synchronize_session=False))
    db.session.execute(delete(Avatar).where(Avatar.contact_id == contact.id, Avatar.token != token))


def forget(contact_ids: Iterable[uuid.UUID]) -> None:
    """Take away the pictures of contacts that are gone for good."""
    db.session.execute(delete(Avatar).where(Avatar.contact_id.in_(list(contact_ids))))


def named(token: str) -> Avatar | None:
    """The picture with that unguessable name."""
    return db.session.scalars(select(Avatar).where(Avatar.token == token.replace("\0", ""))).one_or_none()


def _square(picture: Image.Image) -> Image.Image:
    """The middle of the picture, the right way up, without anything that came with it."""
    turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # of a JPEG only as much is decoded as is needed
    if picture.mode not in ("RGB", "RGBA"):
        is_clear = "transparency" in picture.info or picture.mode in ("LA", "PA", "La")
        picture = picture.convert("RGBA" if is_clear else "RGB")
    side = max(1, min(SIDE, *picture.size))
    small = ImageOps.fit(picture, (side, side))
    if turn is not None:
        small = small.transpose(turn)
    clean = Image.new(small.mode, small.size)
    clean.paste(small)
    return clean


def _encoded(picture: Image.Image) -> tuple[str, bytes]:
    kind = "image/png" if picture.mode == "RGBA" else "image/jpeg"
    written = io.BytesIO()
    picture.save(written, KINDS[kind], optimize=True)
    return kind, written.getvalue()
