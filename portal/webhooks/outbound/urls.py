"""The URL rule: which URLs may be registered. Pure: no name is looked up here.

Strict on purpose: where two parsers could read a text differently (the classic way round such checks), it is refused.
So there is one grammar here, and what leaves this module is put together again from its parts.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna
from requests.utils import requote_uri

from .addresses import Address, Networks, objection
from .result import Failure

MAX_LENGTH = 2048  # characters
_HINT = "Give a public http:// or https:// URL."
_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?", re.I)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
# Underscores are not allowed in host names, but names with them exist and are harmless.
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INTERNAL_NAMES = (
    "localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa",
)  # fmt: skip
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"))  # Unicode categories


class UrlRefused(ValueError):
    """A URL that deliveries may not go to; `message` is a sentence for the user, `failure` its name in a Result."""

    def __init__(self, message: str, failure: Failure = Failure.url_refused) -> None:
        super().__init__(message)
        self.message = message
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL in its parts: `host` is an ASCII name or an IP address as text, `path` includes the query."""

    scheme: str
    host: str
    address: Address | None  # set when the host is an IP address
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header: the port is left out when it is the scheme's own."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def check_url(url: str, allowed: Iterable[IPv4Network | IPv6Network] = ()) -> None:
    """Raise UrlRefused unless `url` may be registered; `allowed` are the networks allowed beside the public ones."""
    parse(url, tuple(allowed))


@lru_cache(maxsize=1024)
def parse(url: str, allowed: Networks = ()) -> Target:
    """Take a URL apart; raises UrlRefused. Cached, because every send to a webhook asks again."""
    _check_text(url)
    parts = _URL.fullmatch(url)
    if parts is None or parts["scheme"].lower() not in _DEFAULT_PORTS:
        raise UrlRefused("The URL must begin with http:// or https://." if "#" not in url else _no_fragment())
    scheme = parts["scheme"].lower()
    host, port = _authority(parts["authority"], _DEFAULT_PORTS[scheme])
    address = _literal(host)
    if address is None:
        host = _name(host, allowed)
    else:
        host = str(address)
        _check_address(address, allowed)
    return Target(scheme, host, address, port, requote_uri((parts["path"] or "/") + (parts["query"] or "")))
