"""What others sent is shown exactly, and as text only."""

import subprocess
from collections.abc import Callable

import pytest

from portal.webhooks import exact
from tests.receiving import receiving


def test_json_is_indented_and_coloured() -> None:
    shown = exact.pretty(b'{"a":[1,true,null,"x"],"b":{},"c":[]}')
    assert shown == (
        '{\n  <span class="k">&#34;a&#34;</span>: [\n    <span class="n">1</span>,\n    <span class="n">true</span>,\n'
        '    <span class="n">null</span>,\n    <span class="s">&#34;x&#34;</span>\n  ],\n'
        '  <span class="k">&#34;b&#34;</span>: {},\n  <span class="k">&#34;c&#34;</span>: []\n}'
    )


def test_values_are_shown_as_they_came() -> None:
    shown = exact.pretty(b'{"a":1.0e0,"a":"\\u00e9\\"{,:"}')
    assert "1.0e0" in shown
    assert shown.count("&#34;a&#34;") == 2
    assert "\\u00e9\\&#34;{,:" in shown


@pytest.mark.parametrize("body", [b"", b"not json", b"{'a': 1}", b"[" * 20_000, b'{"a":1', b"9" * 5_000 + b"x"])
def test_what_is_no_json_is_shown_as_it_came(body: bytes) -> None:
    assert exact.pretty(body) == exact.raw(body)


@pytest.mark.parametrize("show", [exact.pretty, exact.raw])
def test_markup_stays_text(show: Callable[[bytes], str]) -> None:
    for body in (b"<script>alert(1)</script>", b'{"<b>":"<script>alert(1)</script>"}'):
        assert "<script" not in show(body)
        assert "<b>" not in show(body)
        assert "&lt;script&gt;" in show(body)


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert exact.raw(b"a\x00\x1b\x7fb\tc\nd") == "a\u2400\u241b\u2421b\tc\nd"
    assert exact.raw("a\u202eb\u0085".encode()) == "a\\u202eb\\u0085"
    assert exact.raw(b"a\xff\xfe") == "a\ufffd\ufffd"
    assert "\\u202e" in exact.headers([["x-a\u202e", "b"]])


def test_emoji_and_other_scripts_stay_whole() -> None:
    text = "Zoë 张伟 👩‍💻 עברית"
    assert exact.raw(text.encode()) == text


def test_the_curl_command_sends_the_same_bytes_and_headers() -> None:
    body = '{"name":"O\'Brien & <b>\\n", "é": "$(id) `id` @file"}'.encode()
    headers = [["content-type", "application/json"], ["x-empty", ""], ["x-quote", 'it\'s "so" $HOME']]
    with receiving() as receiver:
        command = exact.curl(f"{receiver.url}?a=[1-3]&b={{x,y}}", headers, body)
        subprocess.run(["/bin/sh", "-c", f"{command} --silent --noproxy '*'"], check=True, timeout=20)
        got = receiver.wait(1)[0]
    assert len(receiver.got) == 1
    assert got.path == "/hook?a=[1-3]&b={x,y}"
    assert got.body == body
    assert {name: got.headers[name] for name, _ in headers} == dict(headers)
