"""Pictures: whatever is uploaded, what is served is a small square that the portal drew itself."""

import io
import struct
import zlib
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from portal.contacts import avatars
from portal.contacts.avatars import NotAPicture, drawn
from portal.contacts.models import Avatar, Contact
from portal.extensions import db
from portal.web import CSP

RED, BLUE = (200, 30, 30), (30, 30, 200)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'


def picture(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: Any) -> bytes:
    """Red on the left, blue on the right."""
    made = Image.new("RGB", size, RED)
    made.paste(BLUE, (size[0] // 2, 0, *size))
    written = io.BytesIO()
    made.convert(mode).save(written, kind, **options)
    return written.getvalue()


def read(upload: bytes) -> tuple[str, Image.Image]:
    kind, data = drawn(upload)
    return kind, Image.open(io.BytesIO(data))


def near(colour: Any, expected: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(colour[:3], expected, strict=True))


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says it is that large, with as much of it as is given."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [(b"IHDR", size), (b"IDAT", data), (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("upload", "kind", "side"),
    [
        (picture("PNG"), "image/jpeg", 20),
        (picture("PNG", (900, 1200)), "image/jpeg", 256),
        (picture("PNG", mode="RGBA"), "image/png", 20),
        (picture("PNG", mode="P"), "image/jpeg", 20),
        (picture("PNG", mode="1"), "image/jpeg", 20),
        (picture("PNG", mode="LA"), "image/png", 20),
        (picture("PNG", mode="I;16"), "image/jpeg", 20),
        (picture("JPEG", (3000, 300)), "image/jpeg", 256),
        (picture("JPEG", mode="CMYK"), "image/jpeg", 20),
        (picture("WEBP"), "image/jpeg", 20),
        (picture("GIF", save_all=True, append_images=[Image.new("RGB", (40, 20), BLUE)]), "image/jpeg", 20),
        (picture("PNG", (1, 1)), "image/jpeg", 1),
    ],
)
def test_pictures_of_all_kinds_become_a_square(upload: bytes, kind: str, side: int) -> None:
    made, small = read(upload)
    assert (made, small.size, getattr(small, "n_frames", 1)) == (kind, (side, side), 1)


def test_nothing_of_the_file_is_left_and_what_the_camera_turned_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # held so that its left is on top
    exif[0x010E] = "taken at 48.8566, 2.3522"
    _, small = read(picture("JPEG", (400, 400), exif=exif, comment=b"<script>alert(1)</script>", quality=95))
    assert (dict(small.getexif()), small.info.get("comment")) == ({}, None)
    assert near(small.getpixel((128, 20)), RED)
    assert near(small.getpixel((128, 236)), BLUE)
    polyglot = picture("GIF", comment=b"*/=1;alert(1)/*") + SVG
    assert b"alert" not in drawn(polyglot)[1]


@pytest.mark.parametrize(
    ("upload", "sentence"),
    [
        (b"", "Choose a picture first."),
        (SVG, "That is no picture that we know."),
        (b"<html><script>alert(1)</script>", "That is no picture that we know."),
        (picture("BMP"), "That is no picture that we know."),
        (picture("TIFF"), "That is no picture that we know."),
        (b"GIF89a/*" + SVG, "That is no picture that we know."),
        (picture("PNG", (300, 300))[:200], "The picture is damaged or incomplete."),
        (picture("JPEG", (300, 300))[:400], "The picture is damaged or incomplete."),
        (picture("WEBP", (300, 300))[:100], "The picture is damaged or incomplete."),
        (png_of(2**31 - 1, 2**31 - 1), "The picture has more than 25 million pixels."),
        (png_of(50_000, 50_000, zlib.compress(bytes(100_000))), "The picture has more than 25 million pixels."),
        (png_of(5_001, 5_000), "The picture has more than 25 million pixels."),
        (png_of(0, 10), "That is no picture that we know."),
        (png_of(100, 100, b"no zlib"), "The picture is damaged or incomplete."),
        (b"\x89PNG\r\n\x1a\n" + bytes(avatars.MOST_BYTES), "The picture is larger than 5 MB."),
    ],
    ids=range(15),
)
def test_what_is_hostile_or_broken_is_refused_in_words(upload: bytes, sentence: str) -> None:
    with pytest.raises(NotAPicture) as refused:
        drawn(upload)
    assert str(refused.value).startswith(sentence)


@pytest.fixture
def allen(dana: Any) -> str:
    """The address of a contact."""
    return str(dana.client.post("/contacts/new", data={"first_name": "Allen", "email": "allen@acme.example"}).location)


def send(dana: Any, address: str, data: bytes, name: str = "me.png") -> Any:
    head = f'--x\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--x--\r\n"
    return dana.client.post(f"{address}/avatar", data=body, content_type="multipart/form-data; boundary=x")


def address_of(dana: Any) -> str:
    db.session.rollback()
    return db.session.scalars(select(Contact.avatar_url).where(Contact.workspace_id == dana.workspace_id)).one() or ""


def test_a_picture_is_served_to_whoever_knows_its_address(app: Flask, dana: Any, allen: str, bodies: Any) -> None:
    app.config["URL"] = "https://portal.example"
    assert send(dana, allen, picture("PNG"), "../../x.html").status_code == 303
    address = address_of(dana)
    assert address.startswith("https://portal.example/avatars/")
    assert bodies(dana.workspace_id)[1]["contacts"][0]["avatarUrl"] == address
    path = address.removeprefix("https://portal.example")
    assert f'src="{path}"' in dana.client.get(allen).text
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    headers = (
        "X-Content-Type-Options",
        "Content-Security-Policy",
        "Cache-Control",
        "Content-Disposition",
        "Set-Cookie",
    )
    assert [answer.headers.get(name) for name in headers] == [
        "nosniff", CSP, "public, max-age=31536000, immutable", 'inline; filename="avatar.jpeg"', None,
    ]  # fmt: skip
    assert app.test_client().get(f"/avatars/{'x' * 43}").status_code == 404

    assert send(dana, allen, picture("PNG", mode="RGBA")).status_code == 303
    assert app.test_client().get(path).status_code == 404
    second = address_of(dana).removeprefix("https://portal.example")
    assert app.test_client().get(second).content_type == "image/png"
    assert dana.client.post(f"{allen}/avatar", data={"remove": "y"}).status_code == 303
    assert (address_of(dana), app.test_client().get(second).status_code) == ("", 404)
    assert bodies(dana.workspace_id)[3]["contacts"][0]["avatarUrl"] is None


def test_another_address_takes_the_uploaded_picture_away(app: Flask, dana: Any, allen: str, typed: Any) -> None:
    send(dana, allen, picture("PNG"))
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", city="Paris"))
    assert db.session.scalar(select(func.count()).select_from(Avatar)) == 1
    db.session.rollback()
    form = typed(dana.client, f"{allen}/edit", avatar_url="https://elsewhere.example/me.png")
    assert dana.client.post(f"{allen}/edit", data=form).status_code == 303
    assert db.session.scalar(select(func.count()).select_from(Avatar)) == 0
    page = dana.client.get(allen).text
    assert '<img class="ava' not in page
    assert "https://elsewhere.example/me.png" in page


def test_what_is_no_picture_is_told_on_the_page(dana: Any, allen: str) -> None:
    refused = send(dana, allen, SVG, "me.svg")
    assert (refused.status_code, "That is no picture that we know." in refused.text) == (422, True)
    assert "larger than 5 MB" in send(dana, allen, bytes(avatars.MOST_BYTES + 1)).text
    assert send(dana, allen, bytes(13 * 1024 * 1024)).status_code == 413
    assert dana.client.post("/contacts/new", data={"notes": "x" * 2_000_000}).status_code == 413
    assert address_of(dana) == ""
