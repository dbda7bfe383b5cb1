"""Custom headers: what a person may add, and what the portal keeps to itself."""

import pytest

from portal.webhooks.outbound import HeadersRefused, check_headers, parse_headers


def test_lines_are_read_in_their_order() -> None:
    text = "Authorization: Bearer a:b\r\n\r\nX-Api-Key:  k \nX-Empty:\nUser-Agent: mine"
    assert list(parse_headers(text).items()) == [
        ("Authorization", "Bearer a:b"),
        ("X-Api-Key", "k"),
        ("X-Empty", ""),
        ("User-Agent", "mine"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "Host", "HOST", "Content-Length", "content-type", "Content-Encoding", "Transfer-Encoding", "Connection",
        "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Cookie", "Accept-Encoding", "Proxy-Authorization",
        "Webhook-Id", "webhook-signature", "X-CloudCX-Event", "Forwarded", "X-Forwarded-For", "X-Real-IP", "Via",
        "Date", "Sec-Fetch-Site",
    ],
)  # fmt: skip
def test_a_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(HeadersRefused, match="set by the portal"):
        check_headers({name: "x"})


@pytest.mark.parametrize(
    "name", ["", " X", "X ", "X Y", "X\tY", "X:Y", "X\r\nY", "X\x00", "\u00dcber", "X(1)", "X/1", "x" * 50 + "\n"]
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(HeadersRefused) as refused:
        check_headers({name: "x"})
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("value", ["a\r\nHost: b", "a\nb", "a\rb", "a\x00", "\u00fc", " a", "a ", "a\x7f", "\u2028"])
def test_a_value_that_a_header_cannot_carry_is_refused(value: str) -> None:
    with pytest.raises(HeadersRefused):
        check_headers({"X-A": value})


def test_a_line_without_a_colon_is_named_by_its_number() -> None:
    with pytest.raises(HeadersRefused, match="Line 3"):
        parse_headers("X-A: 1\n\nX-B")


@pytest.mark.parametrize("text", ["X-A: 1\nX-A: 2", "X-A: 1\nx-a: 2"])
def test_a_name_may_not_be_there_twice(text: str) -> None:
    with pytest.raises(HeadersRefused, match="twice"):
        parse_headers(text)


def test_number_and_size_are_limited() -> None:
    check_headers({f"X-{number}": "1" for number in range(20)})
    check_headers({"X-A": "a" * 4093})
    with pytest.raises(HeadersRefused, match="21 headers"):
        check_headers({f"X-{number}": "1" for number in range(21)})
    with pytest.raises(HeadersRefused, match="4096"):
        check_headers({"X-A": "a" * 4094})
