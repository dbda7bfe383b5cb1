"""Exactly what was sent and what came back, as safe markup: other people's text never becomes markup or moves the page.

What cannot be seen is made visible, so that nobody is misled by control characters or by text that changes direction.
"""

import base64
import json
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from markupsafe import Markup, escape

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TURNS_TEXT = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MAY_STAND = "\n\t"
_PICTURES = 0x2400  # Unicode's pictures of the 32 control characters
_DELETE = "\x7f"
_MARKED = re.compile(r"(\n|\r|\t)")
_SIGNS = {"\n": "\u21b5", "\r": "CR", "\t": "\u21e5"}
_MADE_BY_SCRIPT = {
    "webhook-id": "$id",
    "webhook-timestamp": "$timestamp",
    "webhook-signature": "v1,$signature",
}


def visible(text: str) -> str:
    """Text with what cannot be seen made visible: control characters as their pictures or their numbers."""
    return "".join(map(_sign, text))


def headers(pairs: Sequence[Sequence[str]]) -> Markup:
    """Header lines, their names marked."""
    template = Markup('<span class="k">{}</span>: {}\n')
    return Markup("").join(template.format(visible(name), visible(value)) for name, value in pairs)


def pretty(body: bytes) -> Markup:
    """A JSON body indented and coloured, its strings and numbers as they came; anything else as `raw` shows it."""
    try:
        source = body.decode("utf-8")
        json.loads(source)
    except (ValueError, RecursionError):
        return raw(body)
    return Markup("").join(_indented(_PIECE.findall(source)))


def raw(body: bytes) -> Markup:
    """A body as it came, escaped; what is no UTF-8 is replaced."""
    return escape(visible(body.decode("utf-8", "replace")))


def bytes_of(content: bytes) -> Markup:
    """All bytes, so that none can hide: line ends, tabs and what is no UTF-8 are marked."""
    marked = Markup('<span class="n">{}</span>')
    pieces = _MARKED.split(content.decode("utf-8", "backslashreplace"))
    signs = (marked.format(_SIGNS.get(piece, piece)) + "\n" * (piece == "\n") for piece in pieces[1::2])
    plain = (escape(visible(piece)) for piece in pieces[::2])
    return Markup("").join(part for both in zip_longest(plain, signs, fillvalue="") for part in both)


def ending(content: bytes) -> str:
    """How a body ends, for those who look for a newline too many."""
    if not content:
        return "empty"
    newline = {b"\r\n": "with CR LF", b"\n": "with a newline"}
    last = next((words for end, words in newline.items() if content.endswith(end)), "without a newline")
    return f"ends with 0x{content[-1]:02x}, {last}"


def curl(url: str, pairs: Sequence[Sequence[str]], body: bytes, masked: str) -> str:
    """A script for any shell that signs the same bytes anew and sends them with the same headers.

    The secret is a variable of the shell, and so are the values of the headers that are `masked` in the log.
    """
    headers = {name: value for name, value in pairs if name.lower() not in _MADE_BY_SCRIPT}
    event_id = next((value for name, value in pairs if name.lower() == "webhook-id"), "")
    return "\n".join(
        [
            "(",
            ': "${WEBHOOK_SECRET:?type export WEBHOOK_SECRET=whsec_... first}"',
            f"url={shlex.quote(url)}",
            f"id={shlex.quote(event_id)}",
            "timestamp=$(date +%s)",
            f"body() {{ {_printing(body)}; }}",
            r"""key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')""",
            """signature=$({ printf %s "$id.$timestamp."; body; } \\""",
            """  | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)""",
            'body | curl --include --globoff --data-binary @- "${WEBHOOK_URL:-$url}" \\',
            *(f"  -H {_header(name, value, masked)} \\" for name, value in headers.items()),
            *(f'  -H "{name}: {value}" \\' for name, value in _MADE_BY_SCRIPT.items()),
            "  -H 'expect:'",
            ")",
        ]
    )


def _header(name: str, value: str, masked: str) -> str:
    if value == masked:
        return f'"{name}: ${{HEADER_{re.sub("[^A-Z0-9]", "_", name.upper())}}}"'
    return shlex.quote(f"{name}: {value}" if value else f"{name};")  # curl drops "Name:" and takes "Name;"


def _printing(body: bytes) -> str:
    """The shell command that prints exactly these bytes; as base64 where a terminal or clipboard would change them."""
    text = body.decode("utf-8", "replace")
    if text.encode() == body and visible(text) == text and "\t" not in text:
        return f"printf %s {shlex.quote(text)}"
    return f"printf %s {base64.b64encode(body).decode()} | openssl base64 -d -A"


def _indented(pieces: Sequence[str]) -> Iterator[Markup | str]:
    depth = 0
    for i, piece in enumerate(pieces):
        before, after = pieces[i - 1 : i], pieces[i + 1 : i + 2]
        if piece in "}]":
            depth -= 1
            if before not in (["{"], ["["]):
                yield "\n" + "  " * depth
        elif before in (["{"], ["["], [","]):
            yield "\n" + "  " * depth
        depth += piece in "{["
        yield _coloured(piece, is_key=after == [":"])


def _coloured(piece: str, is_key: bool) -> Markup | str:
    if piece in "{}[],:":
        return ": " if piece == ":" else piece
    kind = ("k" if is_key else "s") if piece.startswith('"') else "n"
    return Markup('<span class="{}">{}</span>').format(kind, visible(piece))


def _sign(character: str) -> str:
    if character in _MAY_STAND:
        return character
    if character < " ":
        return chr(_PICTURES + ord(character))
    if character == _DELETE:
        return "\u2421"
    if character in _TURNS_TEXT or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return f"\\u{ord(character):04x}"
    return character
