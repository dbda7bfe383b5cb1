"""The address rule: which IP addresses deliveries may reach. Pure.

Own tables, because `ipaddress.is_private` and `is_global` change with the Python version and miss 100.64/10 (shared
address space), fec0::/10 (site-local) and what IPv6 addresses carry inside. Source: the IANA special-purpose address
registries for IPv4 and IPv6, and the documents of the cloud providers.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

# Where clouds hand out credentials to whoever asks from inside. Never reachable, whatever the operator allows.
_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, OpenStack and most others
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod identity
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure wire server: a public address that only answers inside
        "192.0.0.192",  # Oracle classic
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS pod identity
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fe80::a9fe:a9fe",  # OpenStack
    )
)

_NON_PUBLIC = {
    ip_network(text): kind
    for text, kind in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address of a shared carrier network"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "a reserved address"),  # Teredo, ORCHID, benchmarks
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a reserved address"),  # 6to4
        ("3ffe::/16", "a reserved address"),  # 6bone, returned
        ("3fff::/20", "an address for documentation"),
    )
}
_GLOBAL_UNICAST = ip_network("2000::/3")  # all that IANA has given out of IPv6 so far: what lies outside is reserved

_MAPPED = ip_network("::ffff:0:0/96")
_COMPATIBLE = ip_network("::/96")
_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_TRANSLATED = ip_network("::ffff:0:0:0/96")


@lru_cache(maxsize=4096)
def objection(address: Address, allowed: Networks = ()) -> str | None:
    """What `address` is that deliveries may not reach ("a private address"), or None when they may.

    `allowed` holds the networks that may be reached although they are not public; metadata addresses never may.
    """
    if _METADATA.intersection((address, *_carried(address))):
        return "a cloud metadata address"
    address = _judged(address)
    if any(address in network for network in allowed):
        return None
    for network, kind in _NON_PUBLIC.items():
        if address in network:
            return kind
    return None if isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST else "a reserved address"


def _judged(address: Address) -> Address:
    """The IPv4 address that a mapped or NAT64 address reaches in the end, else `address` itself.

    The other forms that carry an IPv4 address (compatible, 6to4, Teredo, ...) are out of use and judged as reserved.
    """
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return _low_32_bits(address)
    return address


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that is written inside an IPv6 address, in whatever form."""
    if isinstance(address, IPv4Address):
        return ()
    carried = [address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in (_MAPPED, _COMPATIBLE, _NAT64, _NAT64_LOCAL, _TRANSLATED)):
        carried.append(_low_32_bits(address))
    return tuple(inner for inner in carried if inner is not None)


def _low_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
