"""The rule for custom headers: what a person may add to every request of a webhook. Pure."""

import re
from collections.abc import Mapping

MAX_HEADERS = 20
MAX_BYTES = 4096  # of one header, name and value together

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?|")  # RFC 9110, section 5.5, without obs-text
_RESERVED = frozenset(
    {"accept-encoding", "connection", "cookie", "date", "expect", "forwarded", "host", "http2-settings"}
    | {"keep-alive", "te", "trailer", "upgrade", "via", "x-real-ip"}
)
_RESERVED_PREFIXES = ("content-", "proxy-", "sec-", "transfer-", "webhook-", "x-cloudcx-", "x-forwarded-")


class HeadersRefused(ValueError):  # noqa: N818  said of headers, as of URLs
    """Headers that cannot be sent; `message` is a sentence for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse_headers(text: str) -> dict[str, str]:
    """Read "Name: value" lines as a form sends them, in their order; blank lines are skipped. Raises HeadersRefused."""
    headers: dict[str, str] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise HeadersRefused(f"Line {number} has no colon. Write each header as Name: value.")
        if name in headers:
            raise HeadersRefused(f"The header {_shown(name)} is there twice.")
        headers[name] = value.strip(" \t")
    check_headers(headers)
    return headers


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise HeadersRefused unless a person may add these headers to the requests of a webhook."""
    if len(headers) > MAX_HEADERS:
        raise HeadersRefused(f"There are {len(headers)} headers; at most {MAX_HEADERS} are possible.")
    check_grammar(headers)
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if lower in seen:
            raise HeadersRefused(f"The header {_shown(name)} is there twice.")
        if lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES):
            raise HeadersRefused(f"The header {_shown(name)} is set by the portal and cannot be changed.")
        if len(name) + len(value) > MAX_BYTES:
            raise HeadersRefused(f"The header {_shown(name)} is longer than {MAX_BYTES} bytes.")
        seen.add(lower)


def check_grammar(headers: Mapping[str, str]) -> None:
    """Raise HeadersRefused unless every name is a token and every value visible ASCII: no way to smuggle in a line."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise HeadersRefused(f"{_shown(name)} is no header name. Use letters, digits and hyphens.")
        if not _VALUE.fullmatch(value):
            raise HeadersRefused(f"The value of {_shown(name)} holds characters that a header cannot carry.")


def _shown(name: str) -> str:
    """A name as it may stand in a message: short, and with nothing invisible."""
    return ascii(name[:40])[1:-1] or "(empty)"
