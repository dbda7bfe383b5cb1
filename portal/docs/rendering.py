"""docs/receiving.md, which people also read in the repository, as part of a page: places to jump to, coloured code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String

from ..web import icon

SOURCE = Path(__file__).parent.parent.parent / "docs" / "receiving.md"
PLACEHOLDER = "https://your-server.example/webhooks"
"""The reader's URL, as the source writes it."""
COLOURS = ((Comment, "c"), (Keyword, "k"), (Name.Tag, "k"), (Name.Attribute, "k"), (String, "s"), (Number, "n"))
"""Kinds of tokens and their class in `.code`."""

_TABLE = Markup('<div class="wrap" tabindex="0" role="region" aria-label="Table: {}"><table class="log">\n')
_CODE = Markup(
    '<div class="sample"><pre class="code" tabindex="0" role="region" aria-label="Code: {about}" id="{id}">{code}</pre>'
    '<button class="btn btn-s" type="button" data-copy="{id}">{icon}<span>Copy</span></button></div>\n'
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A place to jump to; `level` is 2 or 3."""

    id: str
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Guide:
    """The rendered document without its first heading, which is its `title`."""

    title: str
    contents: Sequence[Heading]
    body: Markup

    def addressed(self, url: str) -> Markup:
        """The body with the reader's own URL in place of the placeholder."""
        # It stands between single quotes in a shell command that people copy: it must not end them.
        return self.body.replace(PLACEHOLDER, escape(url.replace("'", "%27")))


@cache
def guide() -> Guide:
    """The document, rendered once."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda _, tokens, i, *__: _TABLE.format(tokens[i].meta["about"]))
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    markdown.add_render_rule("fence", lambda _, tokens, i, *__: _fence(tokens[i]))
    tokens = markdown.parse(SOURCE.read_text("utf-8"))
    first, *contents = _place(tokens)
    end = next(i for i, token in enumerate(tokens) if token.type == "heading_close") + 1
    body = markdown.renderer.render(tokens[end:], markdown.options, {})
    return Guide(first.text, contents, Markup(body))  # noqa: S704 - made from our own file, its HTML escaped


def _place(tokens: Sequence[Token]) -> Iterator[Heading]:
    """Give each heading its id, and tell tables and code which heading they stand under."""
    about = ""
    for token, inside in pairwise(tokens):
        if token.type == "heading_open":
            about = inside.content
            heading = Heading(_slug(about), about, int(token.tag[1]))
            token.attrSet("id", heading.id)
            yield heading
        elif token.type in ("table_open", "fence"):
            token.meta["about"] = about


def _fence(token: Token) -> str:
    about = token.meta["about"]
    return _CODE.format(
        about=about, id=f"{_slug(about)}-code", code=_coloured(token.content, token.info), icon=icon("copy")
    )


def _coloured(code: str, language: str) -> Markup:
    pieces = get_lexer_by_name(language).get_tokens(code)
    return Markup("").join(_span(text, token.split()) for token, text in pieces)


def _span(text: str, kinds: Sequence[object]) -> Markup | str:
    colour = next((colour for kind, colour in COLOURS if kind in kinds), None)
    return Markup('<span class="{}">{}</span>').format(colour, text) if colour else text


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
