"""What others sent is shown exactly, and as text only."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.webhooks import exact, signing
from portal.webhooks.verifying import Verdict, verify
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


def test_no_byte_can_hide() -> None:
    shown = exact.bytes_of(b"<b>\ta\r\n\xff\x00\xe2\x80\xae\n")
    mark = '<span class="n">{}</span>'.format
    line_end = f"{mark('CR')}{mark(chr(0x21B5))}\n"
    assert shown == f"&lt;b&gt;{mark(chr(0x21E5))}a{line_end}\\xff\u2400\\u202e{mark(chr(0x21B5))}\n"


def test_how_a_body_ends_is_told() -> None:
    ends = [exact.ending(body) for body in (b"", b"{}", b"{}\n", b"{}\r\n")]
    assert ends == ["empty", "ends with 0x7d, without a newline", "ends with 0x0a, with a newline",
                    "ends with 0x0a, with CR LF"]  # fmt: skip


SECRET = signing.new_secret()
QUOTES = '{"name":"O\'Brien & <b>\\n", "é": "$(id) `id` @file !! %s \\\\"}'.encode()
STAND_INS = {
    "openssl": """
import base64, hashlib, hmac, sys
given, out = sys.stdin.buffer.read(), sys.stdout.buffer
if "dgst" in sys.argv:
    key = bytes.fromhex(sys.argv[sys.argv.index("-macopt") + 1].removeprefix("hexkey:"))
    out.write(hmac.digest(key, given, "sha256"))
else:
    out.write(base64.b64decode(given) if "-d" in sys.argv else base64.b64encode(given))
""",
    "curl": """
import sys, urllib.request
words = sys.argv[1:]
lines = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
pairs = [(line.partition(":")[0].rstrip(";"), line.partition(":")[2].strip()) for line in lines]
headers = {name: value for name, value in pairs if name != "expect"}
url = next(word for word in words if word.startswith("http"))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(urllib.request.Request(url, sys.stdin.buffer.read(), headers))
""",
}
"""What stands in for a program that this machine lacks: so much of it as the command needs."""


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., None]:
    """Run a command as somebody who pastes it into a shell."""
    for name, source in STAND_INS.items():
        if not shutil.which(name):
            (tmp_path / name).write_text(f"#!{sys.executable}{source}")
            (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    def run(command: str, name: str = "sh", **env: str) -> None:
        given = {"PATH": path, "no_proxy": "*", "WEBHOOK_SECRET": SECRET, **env}
        subprocess.run([name, "-c", command], env=given, check=True, timeout=20, capture_output=True)

    return run


@pytest.mark.parametrize("body", [QUOTES, b"line\r\none\n\n", b"\xff\xfe\x00'", b"", b"%s \\ -n", "\u202eü".encode()])
def test_the_curl_command_signs_the_same_bytes_anew(shell: Callable[..., None], body: bytes) -> None:
    headers = [["content-type", "application/json"], ["webhook-id", "msg_1"], ["webhook-timestamp", "1"],
               ["webhook-signature", "v1,old"], ["x-empty", ""], ["x-quote", 'it\'s "so" $HOME']]  # fmt: skip
    with receiving() as receiver:
        shell(exact.curl(f"{receiver.url}?a=[1-3]&b={{x,y}}", headers, body, "•"))
        got = receiver.wait(1)[0]
    assert len(receiver.got) == 1
    assert got.path == "/hook?a=[1-3]&b={x,y}"
    assert got.body == body
    assert verify(got.headers, got.body, [SECRET]) == Verdict.VALID
    sent = {name: got.headers[name] for name, _ in headers}
    assert sent == dict(headers) | {name: got.headers[name] for name in ("webhook-timestamp", "webhook-signature")}
    assert "v1,old" not in got.headers["webhook-signature"]


def test_it_takes_secrets_and_another_address_from_the_shell_and_does_nothing_without(
    shell: Callable[..., None],
) -> None:
    with receiving() as receiver:
        command = exact.curl("http://127.0.0.1:1/", [["webhook-id", "msg_1"], ["X-Api.Key", "•"]], b"{}", "•")
        for name in {"sh", "bash"} & {one for one in ("sh", "bash") if shutil.which(one)}:
            shell(command, name, WEBHOOK_URL=receiver.url, HEADER_X_API_KEY="s3cret $1")
        with pytest.raises(subprocess.CalledProcessError) as refused:
            shell(command, WEBHOOK_URL=receiver.url, WEBHOOK_SECRET="")
        with pytest.raises(subprocess.CalledProcessError):
            shell(command)
        got = receiver.wait(1)
    assert {one.headers["x-api.key"] for one in got} == {"s3cret $1"}
    assert b"export WEBHOOK_SECRET=whsec_" in refused.value.stderr
    assert "•" not in command
