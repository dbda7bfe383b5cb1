"""Exactly what was sent and what came back, as safe markup: other people's text never becomes markup or moves the page.

What cannot be seen is made visible, so that nobody is misled by control characters or by text that changes direction.
"""

import json
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TURNS_TEXT = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MAY_STAND = "\n\t"
_PICTURES = 0x2400  # Unicode's pictures of the 32 control characters
_DELETE = "\x7f"


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


def curl(url: str, pairs: Sequence[Sequence[str]], body: bytes) -> str:
    """The command that sends the same bytes with the same headers once more. Signing secrets are no part of it."""
    # curl takes "Name;" for a header without a value, and drops "Name:".
    fields = [f"{name}: {value}" if value else f"{name};" for name, value in pairs]
    parts = ["curl --globoff", *(f"-H {shlex.quote(field)}" for field in fields)]
    parts += [f"--data-raw {shlex.quote(body.decode('utf-8', 'replace'))}", shlex.quote(url)]
    return " \\\n  ".join(parts)


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
