"""The URL rule, as Save and every send apply it; the tables of what is refused and what passes are in test_reach."""

from ipaddress import ip_network

import pytest

from portal.webhooks.outbound import UrlRefused, check_url
from portal.webhooks.outbound.urls import parse

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
PRIVATE = (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize("url", ["http://localhost:8000/", "http://127.0.0.1/", "http://[::1]/", "http://a.localhost/"])
def test_loopback_passes_where_it_is_allowed(url: str) -> None:
    check_url(url, LOOPBACK)


def test_an_internal_name_passes_where_private_networks_are_allowed_but_localhost_needs_loopback() -> None:
    check_url("http://crm.internal/", PRIVATE)
    with pytest.raises(UrlRefused):
        check_url("http://localhost/", PRIVATE)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://me:secret@example.com/", "password"),
        ("http://example.com\\x", "backslash"),
        ("http://example.com/#x", "fragment"),
        ("http://example.com/ x", "space"),
        ("http://example.com:0/", "port"),
        ("example.com", "begin with"),
        ("", "missing"),
        ("http://" + "a" * 2048, "2048"),
    ],
)
def test_the_message_says_what_is_wrong(url: str, word: str) -> None:
    with pytest.raises(UrlRefused, match=word) as refused:
        check_url(url)
    assert "secret" not in refused.value.message


def test_the_message_names_the_address_and_what_to_give_instead() -> None:
    with pytest.raises(UrlRefused) as refused:
        check_url("https://10.0.4.17/hook")
    assert refused.value.message == (
        "10.0.4.17 is a private address that deliveries may not reach. Give a public http:// or https:// URL."
    )


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        ("https://example.com.:443?x=1", "https://example.com/?x=1"),
        ("https://B\u00dcCHER.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("http://[2606:2800:0220:0001::0001]/", "http://[2606:2800:220:1::1]/"),
        ("https://example.com/caf\u00e9?q=\u00fc%20", "https://example.com/caf%C3%A9?q=%C3%BC%20"),
        ("https://example.com//x", "https://example.com//x"),
    ],
)
def test_what_is_requested_is_put_together_from_the_parts(url: str, canonical: str) -> None:
    assert parse(url).url == canonical
