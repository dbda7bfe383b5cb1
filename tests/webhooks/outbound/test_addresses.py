"""The address rule, entry by entry."""

from ipaddress import ip_address, ip_network

import pytest

from portal.webhooks.outbound.addresses import objection

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))

NON_PUBLIC = [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.0.1", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.0",
    "239.255.255.255", "240.0.0.0", "255.255.255.255", "::", "::1", "::2", "::8.8.8.8", "::ffff:10.0.0.1",
    "::ffff:0:8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:808:808::1", "3ffe::1", "3fff::1", "4000::1", "5f00::1",
    "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff00::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255",
    "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2000::1", "2001:200::1", "2606:4700::1111",
    "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "3fff:1000::1",
]  # fmt: skip
METADATA = [
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fe80::a9fe:a9fe",
    "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::a9fe:a9fe",
    "::ffff:0:169.254.169.254", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "2001:0:808:808:0:0:5601:5601",
]  # fmt: skip


@pytest.mark.parametrize("text", NON_PUBLIC)
def test_an_address_that_is_not_public_may_not_be_reached_until_it_is_allowed(text: str) -> None:
    assert objection(ip_address(text)) is not None
    assert objection(ip_address(text), EVERYTHING) is None


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_may_be_reached(text: str) -> None:
    assert objection(ip_address(text)) is None


@pytest.mark.parametrize("text", METADATA)
def test_a_metadata_address_may_never_be_reached_in_whatever_form(text: str) -> None:
    assert objection(ip_address(text), EVERYTHING) == "a cloud metadata address"


def test_an_allowed_network_also_allows_its_addresses_mapped_into_ipv6_and_nothing_beyond() -> None:
    allowed = (ip_network("10.1.0.0/16"),)
    assert objection(ip_address("::ffff:10.1.2.3"), allowed) is None
    assert objection(ip_address("10.2.0.1"), allowed) == "a private address"
    assert objection(ip_address("::1"), allowed) == "a loopback address"
