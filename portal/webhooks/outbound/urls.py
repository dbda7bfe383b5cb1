"""The URL rule: which URLs may be registered. Pure: no name is looked up here.

Strict on purpose: where two parsers could read a text differently (the classic way round such checks), it is refused.
There is one grammar, this one; what is sent is put together again from the parts that it found.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import idna
from requests.utils import requote_uri

from .addresses import Address, Networks, objection
from .result import Failure

MAX_LENGTH = 2048  # characters
_HINT = "Give a public http:// or https:// URL."
_DEFAULT_PORTS = {"http": 80, "https": 443}

# ASCII, because otherwise the long s of old print, too, would be taken for an s.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<path>[^?]*)(?P<query>\?.*)?", re.ASCII | re.IGNORECASE
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
# An underscore is no part of a proper host name, but such names exist and are harmless.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOPBACK_SUFFIXES = (".localhost", ".localdomain")
_INTERNAL_SUFFIXES = (".local", ".internal", ".intranet", ".private", ".corp", ".home", ".lan", ".home.arpa")
_LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})  # Unicode categories, spaces included


class UrlRefused(ValueError):  # noqa: N818  an outcome of the form, not an error of the program
    """A URL that deliveries may not go to; `message` is a sentence for the user, `failure` its name in a Result."""

    def __init__(self, message: str, failure: Failure = Failure.URL_REFUSED) -> None:
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
        """Host and port as in the Host header: the port is left out when it is the scheme's own."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL as it is requested."""
        return f"{self.scheme}://{self.authority}{self.path}"


def check_url(url: str, allowed: Iterable[IPv4Network | IPv6Network] = ()) -> None:
    """Raise UrlRefused unless `url` may be registered; `allowed` are networks to allow beside the public ones."""
    parse(url, tuple(allowed))


@lru_cache(maxsize=1024)
def parse(url: str, allowed: Networks = ()) -> Target:
    """Take a URL apart, or raise UrlRefused. Cached, because every send to a webhook asks again."""
    _check_text(url)
    parts = _URL.fullmatch(url)
    if parts is None:
        raise UrlRefused("The URL must begin with http:// or https:// and name a host.")
    scheme = parts["scheme"].lower()
    host, port = _host_and_port(parts["authority"], _DEFAULT_PORTS[scheme])
    address = _literal(host)
    if address is None:
        host = _name(host, allowed)
    else:
        host = str(address)
        _check_literal(address, allowed)
    return Target(scheme, host, address, port, requote_uri((parts["path"] or "/") + (parts["query"] or "")))


def _check_text(url: str) -> None:
    """Refuse what no URL may hold, before any of it is looked at more closely."""
    if len(url) > MAX_LENGTH:
        raise UrlRefused(f"The URL has {len(url)} characters; at most {MAX_LENGTH} are possible.")
    if not url:
        raise UrlRefused(f"The URL is missing. {_HINT}")
    if any(unicodedata.category(character) in _INVISIBLE for character in url):
        raise UrlRefused("The URL contains a space or an invisible character. Remove it, or write it as %20.")
    if "\\" in url:
        raise UrlRefused("The URL contains a backslash. Use / instead.")
    if "#" in url:
        raise UrlRefused("The URL contains a fragment (#...), which is never sent. Remove it.")


def _host_and_port(authority: str, default_port: int) -> tuple[str, int]:
    if not authority:
        raise UrlRefused(f"The URL names no host. {_HINT}")
    if "@" in authority:
        raise UrlRefused("The URL contains a user name or password. Send credentials in a custom header instead.")
    parts = _AUTHORITY.fullmatch(authority)
    port = int(parts["port"] or default_port) if parts else 0
    if parts is None or port > 65535:
        raise UrlRefused("The host or port in the URL is malformed. A port is a number from 1 to 65535.")
    return parts["host"], port


def _literal(host: str) -> Address | None:
    """The IP address that `host` is, None for a name. Odd spellings of addresses are refused.

    Resolvers take 2130706433, 0x7f.1, 127.1 and 0177.0.0.1 for 127.0.0.1. One rule closes them all: a host whose
    last label is a number must be an IPv4 address in its strict dotted form (as in the WHATWG URL standard, but
    without its repairs).
    """
    try:
        if host.startswith("["):
            if "%" in host:
                raise ValueError("zone")
            return IPv6Address(host[1:-1])
        if _NUMERIC_LABEL.fullmatch(host.lower().rstrip(".").rpartition(".")[2]):
            return IPv4Address(host)
    except ValueError:
        raise UrlRefused("The address in the URL is malformed. Write it like 93.184.215.14 or [2606::1].") from None
    return None


def _check_literal(address: Address, allowed: Networks) -> None:
    kind = objection(address, allowed)
    if kind is not None:
        raise UrlRefused(f"{address} is {kind} that deliveries may not reach. {_HINT}", Failure.BLOCKED_ADDRESS)


def _name(host: str, allowed: Networks) -> str:
    """The ASCII form of a host name, lower case, without the dot of the root."""
    name = _ascii(host).removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("The host name in the URL is malformed. Check it for typing mistakes.")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):  # digits of another script or in circles, turned into plain ones by IDNA
        raise UrlRefused("The address in the URL is malformed. Write it in plain digits.")
    _check_not_internal(name, allowed)
    return name


def _ascii(host: str) -> str:
    if host.isascii() and "xn--" not in host.lower():
        return host.lower()
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii").lower()
    except UnicodeError:
        raise UrlRefused("The host name in the URL is not a valid international name.") from None


def _check_not_internal(name: str, allowed: Networks) -> None:
    """Refuse names that only mean something inside a network, so that Save can already say so.

    Only a courtesy: what a name leads to is judged when it is looked up. With allowed networks they may be meant.
    """
    if f".{name}".endswith(_LOOPBACK_SUFFIXES):
        internal = not any(address in network for address in _LOOPBACK for network in allowed)
    else:
        internal = not allowed and ("." not in name or name.endswith(_INTERNAL_SUFFIXES))
    if internal:
        raise UrlRefused(f"{name} is an internal name that deliveries may not reach. {_HINT}")
