"""The URL rule, as Save and every send apply it."""

from ipaddress import ip_network

import pytest

from portal.webhooks.outbound import Failure, UrlRefused, check_url
from portal.webhooks.outbound.urls import parse

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
PRIVATE = (ip_network("10.0.0.0/8"),)

LEGITIMATE = [
    "http://example.com",
    "https://example.com/",
    "HTTPS://EXAMPLE.COM/Hook",
    "https://example.com:8443/hook?token=a%20b&x=1",
    "https://example.com?x=1",
    "https://example.com/?",
    "https://example.com./hook",
    "https://hooks.a-b.example.co.uk/%F0%9F%98%80",
    "https://example.com/caf\u00e9?q=\u00fc",
    "https://example.com//double//slash",
    "https://example.com/a/../b",
    "https://example.com/{placeholder}|x",
    "https://example.com/@someone/p:q;r=1,2",
    "https://b\u00fccher.example/",
    "https://xn--bcher-kva.example/",
    "https://\u4f8b\u3048.\u30c6\u30b9\u30c8/",
    "https://my_hook.example.com/",
    "https://1.example.com/",
    "https://4chan.org/",
    "https://a.b.c.d.e.f.example.com/",
    f"https://{'a' * 63}.example.com/",
    "https://localhost.example.com/",
    "https://mylocal.example/",
    "http://93.184.215.14/",
    "http://93.184.215.14:1/",
    "http://93.184.215.14:65535/",
    "http://[2606:2800:220:1::1]/",
    "http://[2606:2800:220:1::1]:8080/x",
    "http://[::ffff:93.184.215.14]/",
    "https://" + "example.com/" + "a" * 2028,
]

MALFORMED = [
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "http:example.com",
    "http:/example.com",
    "http:///example.com",
    "http://",
    "https://?x",
    "http+unix://%2fvar%2frun%2fdocker.sock/",
    "https://" + "example.com/" + "a" * 2029,
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://@example.com/",
    "http://example.com@10.0.0.1/",
    "http://example.com:80@10.0.0.1/",
    "http://example.com\\@10.0.0.1/",
    "http:\\\\example.com\\",
    "http://example.com/#fragment",
    "http://example.com#@10.0.0.1/",
    "#",
    " http://example.com/",
    "http://example.com/ ",
    "http://exam ple.com/",
    "http://example.com/a b",
    "http://example.com/\r\nHost: internal",
    "http://example.com/\x00",
    "http://example.com/\t",
    "ht\ntp://example.com/",
    "http://example.com/\x7f",
    "http://example.com/\u00a0",
    "http://example.com/\u2028",
    "http://exa\u200bmple.com/",
    "http://example.com/\u202e",
    "http://\ufeffexample.com/",
    "http://exa\u00admple.com/",
    "http://example.com/\ud800",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:99999999999999999999/",
    "http://example.com:/",
    "http://example.com:-1/",
    "http://example.com:+80/",
    "http://example.com:080/",
    "http://example.com:80:81/",
    "http://example.com:http/",
    "http://example.com:\u0668\u0660/",
    "http://.example.com/",
    "http://example..com/",
    "http://example.com../",
    "http://./",
    "http://-example.com/",
    "http://example-.com/",
    "http://exa$mple.com/",
    "http://exa%6dple.com/",
    "http://ex*mple.com/",
    "http://example.com,10.0.0.1/",
    "http://example.com;10.0.0.1/",
    f"http://{'a' * 64}.com/",
    f"http://{'a.' * 126}com/",
    "http://xn--a/",
    "http://xn--a.example/",
    "http://\u2603.example/",
    "http://[::1",
    "http://::1/",
    "http://[]/",
    "http://[1.2.3.4]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[v1.fe80]/",
    "http://[2606:2800:220:1::1]x/",
    "http://[[::1]]/",
    "http://[2606::1::1]/",
]

ODD_ADDRESSES = [
    "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0x",
    "1.1.1.1.", "0.0.0.0.", "127.0.0.0x1", "256.1.1.1", "1.1.1.256", "1.1.1", "1.1.1.1.1", "01.1.1.1", "1.1.1.01",
    "a.1", "example.com.1", "example.0x7f", "127.0.0.1.", "93.184.215.14.", "00000000.0.0.1", "4294967296",
    "-1.1.1.1", "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021", "\u0661.1.1.1",
    "1.1.1.\u00b9",
]  # fmt: skip

BLOCKED_LITERALS = [
    "127.0.0.1", "10.0.4.17", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "100.100.100.200",
    "168.63.129.16", "[::1]", "[::]", "[fe80::1]", "[fec0::1]", "[fd00:ec2::254]", "[fc00::1]", "[ff02::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]",
    "[2002:7f00:1::]", "[2001:db8::1]", "[2001:0:7f00:1::1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::ffff:0:127.0.0.1]",
    "[5f00::1]", "[100::1]",
]  # fmt: skip

INTERNAL_NAMES = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "redis", "intranet",
    "printer.local", "metadata.google.internal", "db.internal", "nas.lan", "x.home.arpa", "git.corp", "app.private",
    "\u24db\u24de\u24d2alhost", "\uff4cocalhost",
]  # fmt: skip


@pytest.mark.parametrize("url", LEGITIMATE)
def test_a_legitimate_url_passes(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        check_url(url, LOOPBACK)
    assert refused.value.failure is Failure.URL_REFUSED


@pytest.mark.parametrize("host", ODD_ADDRESSES)
def test_an_odd_spelling_of_an_address_is_refused_even_where_the_address_is_allowed(host: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(f"http://{host}/", (ip_network("0.0.0.0/0"),))


@pytest.mark.parametrize("host", BLOCKED_LITERALS)
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(UrlRefused, match="may not reach") as refused:
        check_url(f"http://{host}:8080/")
    assert refused.value.failure is Failure.BLOCKED_ADDRESS


@pytest.mark.parametrize("name", INTERNAL_NAMES)
def test_an_internal_name_is_refused(name: str) -> None:
    with pytest.raises(UrlRefused, match="internal name"):
        check_url(f"http://{name}:8080/")


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


@pytest.mark.parametrize("url", MALFORMED + [f"http://{host}/" for host in ODD_ADDRESSES + INTERNAL_NAMES])
def test_every_message_is_a_printable_sentence(url: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        check_url(url)
    assert refused.value.message.isprintable()
    assert refused.value.message.endswith(".")


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
