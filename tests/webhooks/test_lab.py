"""The signature lab names the mistake that was made, whatever it was, and says nothing of secrets."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import pytest

from portal.webhooks import lab, mistakes, signing
from portal.webhooks.lab import Signed, Verdict
from portal.webhooks.mistakes import Key, Mistake

ID, STAMP = "msg_2f6b8c1d9e4a7035b1c2d3e4", "1792800000"
DELIVERY = "392a0465-fc1b-4820-abc7-e96cb5d98774"
DATA = {"event": "ContactUpdated", "contacts": [{"id": "392a", "name": "Zoë <b>/", "tags": None, "on": True}]}
BODY = json.dumps(DATA, ensure_ascii=False, separators=(",", ":")).encode()
# The same in each process of a test run: they become names of tests.
SECRET, OLD, OTHER = (f"whsec_{base64.b64encode(bytes([n]) * 31 + b'~').decode()}" for n in (0xE9, 0xA7, 0x3C))
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
OLD_ONE = Key(OLD, "the old secret", Mistake("The old secret", "Take the new one."))
OTHER_ONE = Key(OTHER, "another webhook's", Mistake("The secret of another webhook", "Take this one's."))
CURRENT = Key(SECRET, "the secret")


def signed(body: bytes = BODY, *secrets: str) -> Signed:
    signatures = tuple(signing.sign(secret, ID, int(STAMP), body) for secret in secrets or (SECRET,))
    return Signed(ID, STAMP, body, signatures, DELIVERY, ("1792800305",))


def mac(message: bytes | str, key: bytes = KEY, name: str = "sha256") -> bytes:
    return hmac.digest(key, message.encode() if isinstance(message, str) else message, name)


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def of(body: bytes | str, key: bytes = KEY) -> str:
    """The signature over id, timestamp and that body."""
    return b64(mac(f"{ID}.{STAMP}.".encode() + (body.encode() if isinstance(body, str) else body), key))


def judge(pasted: str, about: Signed | None = None) -> Verdict:
    return lab.judge(pasted, about or signed(), [CURRENT], [OLD_ONE, OTHER_ONE])


def found(pasted: str, about: Signed | None = None) -> list[str]:
    return [mistake.title for mistake in judge(pasted, about).mistakes]


RIGHT = of(BODY)


@pytest.mark.parametrize(
    "pasted",
    [
        RIGHT, f"v1,{RIGHT}", f"  v1,{RIGHT}\n", f'"{RIGHT}"', f"b'{RIGHT}'", f"webhook-signature: v1,{RIGHT}",
        f"{RIGHT[:20]}\n{RIGHT[20:]}", f"v1,{b64(bytes(32))} v1,{RIGHT}",
    ],
)  # fmt: skip
def test_the_right_one_is_right_however_it_is_pasted(pasted: str) -> None:
    assert judge(pasted) == lab.RIGHT


@pytest.mark.parametrize(
    ("pasted", "mistake"),
    [
        (mac(f"{ID}.{STAMP}.".encode() + BODY).hex(), mistakes.HEX),
        (mac(f"{ID}.{STAMP}.".encode() + BODY).hex().upper(), mistakes.HEX),
        (b64(mac(f"{ID}.{STAMP}.".encode() + BODY).hex().encode()), mistakes.HEX_IN_BASE64),
        (RIGHT.rstrip("="), mistakes.UNPADDED),
        (RIGHT[:30], mistakes.CUT_SHORT),
        (of(BODY + b"\n"), mistakes.NEWLINE),
        (of(BODY + b"\r\n"), mistakes.NEWLINE),
        (of(b""), mistakes.NO_BODY),
        (of(BODY.decode().encode("latin-1")), mistakes.ENCODED),
        (of(BODY.decode("latin-1")), mistakes.ENCODED),
        (of(BODY.decode().encode("utf-16")), mistakes.ENCODED),
        (of("\ufeff" + BODY.decode()), mistakes.ENCODED),
        (of(str(BODY)), mistakes.REPR),
        (of("[object Object]"), mistakes.REPR),
        (of(json.dumps(DATA["contacts"], ensure_ascii=False, separators=(",", ":"))), mistakes.PART),
        (of(BODY, SECRET.encode()), mistakes.WITH_PREFIX),
        (of(BODY, SECRET.removeprefix("whsec_").encode()), mistakes.AS_TEXT),
        (of(BODY, SECRET.removeprefix("whsec_").encode() + b"\n"), mistakes.AS_TEXT),
        (of(BODY, b""), mistakes.NO_KEY),
        (of(BODY, base64.b64decode(OLD[6:])), OLD_ONE.mistake),
        (of(BODY, base64.b64decode(OTHER[6:])), OTHER_ONE.mistake),
        (of(BODY, OTHER.encode()), OTHER_ONE.mistake),
        (b64(mac(f"{ID}.{STAMP}000.".encode() + BODY)), mistakes.MILLISECONDS),
        (b64(mac(f"{ID}.{int(STAMP) // 1000}.".encode() + BODY)), mistakes.MILLISECONDS),
        (b64(mac(f"{ID}.{STAMP}.0.".encode() + BODY)), mistakes.WRONG_STAMP),
        (b64(mac(f"{ID}.{int(STAMP) + 305}.".encode() + BODY)), mistakes.OTHER_ATTEMPT),
        (b64(mac(f"{ID}.{int(STAMP) + 2}.".encode() + BODY)), mistakes.OWN_CLOCK),
        (b64(mac(f"{ID}.undefined.".encode() + BODY)), mistakes.NO_STAMP),
        (b64(mac(f"None.{STAMP}.".encode() + BODY)), mistakes.NO_ID),
        (b64(mac(f"{ID[4:]}.{STAMP}.".encode() + BODY)), mistakes.CUT_ID),
        (b64(mac(f"{DELIVERY}.{STAMP}.".encode() + BODY)), mistakes.CUT_ID),
        (b64(mac(BODY)), mistakes.BODY_ALONE),
        (b64(mac(f"{STAMP}.".encode() + BODY)), mistakes.PART_MISSING),
        (b64(mac(f"{ID}.".encode() + BODY)), mistakes.PART_MISSING),
        (b64(mac(f"{STAMP}.{ID}.".encode() + BODY)), mistakes.ORDER),
        (b64(mac(ID.encode() + STAMP.encode() + BODY)), mistakes.SEPARATOR),
        (b64(mac(f"{ID}:{STAMP}:".encode() + BODY)), mistakes.SEPARATOR),
        (b64(mac(f"{ID}.{STAMP}.".encode() + BODY, name="sha1")), mistakes.algorithm("sha1")),
        (mac(f"{ID}.{STAMP}.".encode() + BODY, name="sha512").hex(), mistakes.algorithm("sha512")),
        (hashlib.sha256(BODY).hexdigest(), mistakes.NO_HMAC),
        (b64(hashlib.sha256(KEY + f"{ID}.{STAMP}.".encode() + BODY).digest()), mistakes.NO_HMAC),
    ],
)  # fmt: skip
def test_a_mistake_is_named(pasted: str, mistake: Mistake) -> None:
    verdict = judge(pasted)
    assert mistake in verdict.mistakes, verdict
    assert verdict.tone == "bad"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (json.dumps(DATA), "with spaces after comma and colon, other letters as \\u"),
        (json.dumps(DATA, ensure_ascii=False), "with spaces after comma and colon"),
        (json.dumps(DATA, indent=2, ensure_ascii=False), "indented by 2 spaces"),
        (json.dumps(DATA, indent=4), "indented by 4 spaces, other letters as \\u"),
        (json.dumps(DATA, sort_keys=True, separators=(",", ":")), "without spaces, other letters as \\u, keys sorted"),
        (json.dumps(DATA, separators=(",", ":")).replace("/", "\\/"), "slashes as \\/, as PHP does, other letters as"),
        (str(DATA), "as Python prints a dictionary"),
    ],
)
def test_how_a_body_was_written_anew_is_told(text: str, how: str) -> None:
    assert how in found(of(text))[0]


def test_a_secret_whose_prefix_was_decoded_as_node_does_and_as_python_does() -> None:
    for letters in ("whsec/" + SECRET[6:], "whsec" + SECRET[6:]):
        letters = letters.rstrip("=")
        key = base64.b64decode(letters[: len(letters) // 4 * 4])
        assert found(of(BODY, key)) == [mistakes.PREFIX_DECODED.title]


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (mac(BODY).hex(), [mistakes.BODY_ALONE, mistakes.HEX]),
        (of(json.dumps(DATA), SECRET.encode()), [mistakes.WITH_PREFIX, None]),
        (b64(mac(f"{STAMP}.".encode() + json.dumps(DATA).encode())), [None, mistakes.PART_MISSING]),
        (b64(mac(f"{ID}.{STAMP}000.".encode() + BODY + b"\n")), [mistakes.NEWLINE, mistakes.MILLISECONDS]),
        (
            mac(f"{ID}.{STAMP}.".encode() + BODY, SECRET.encode(), "sha1").hex(),
            [mistakes.WITH_PREFIX, mistakes.algorithm("sha1"), mistakes.HEX],
        ),
    ],
)
def test_several_mistakes_at_once_are_all_named(pasted: str, expected: list[Mistake | None]) -> None:
    verdict = judge(pasted)
    assert len(verdict.mistakes) == len(expected), verdict
    assert all(wanted in (None, got) for wanted, got in zip(expected, verdict.mistakes, strict=True)), verdict
    assert verdict.title == f"{len(expected)} mistakes at once"


def test_url_safe_base64_is_told_where_it_differs() -> None:
    body = next(b for n in range(99) if "+" in of(b := f"{n}".encode()))
    assert found(of(body).replace("+", "-").replace("/", "_"), signed(body)) == [mistakes.URL_SAFE.title]


def test_white_space_and_line_ends() -> None:
    body = b' {"a":\r\n1}\n'
    assert found(of(body.rstrip(b"\n")), signed(body)) == [mistakes.NEWLINE.title]
    assert found(of(body.strip()), signed(body)) == [mistakes.TRIMMED.title]
    assert found(of(body.replace(b"\r\n", b"\n")), signed(body)) == [mistakes.LINE_ENDS.title]


def test_bodies_that_are_no_json_and_no_text_are_no_trouble() -> None:
    for body in (b"", b"\xff\xfe\x00", b"[" * 50_000, b"[1]", b'{"a":"\\ud800"}', b"{b} {i} {t}"):
        assert judge(of(body), signed(body)) == lab.RIGHT
        assert found(b64(mac(body)), signed(body)) != []
        assert judge(of(b"else"), signed(body)) == lab.UNKNOWN


@pytest.mark.parametrize(
    "pasted", ["", " ", "hello", "v1,", "<script>", "0" * 10_000, "é" * 43, "\0", "v1," * 99, " " * 3_000 + RIGHT]
)
def test_what_is_no_signature_is_told_so(pasted: str) -> None:
    assert judge(pasted) == lab.UNREADABLE


def test_while_a_secret_rotates_both_signatures_are_right() -> None:
    both = [CURRENT, Key(OLD, "the old secret")]
    about = signed(BODY, SECRET, OLD)
    for secret in (SECRET, OLD):
        assert lab.judge(signing.sign(secret, ID, int(STAMP), BODY), about, both, []) == lab.RIGHT
    as_text = of(BODY, OLD.encode())
    assert lab.judge(as_text, about, both, []).mistakes == (mistakes.WITH_PREFIX,)


def test_where_the_signing_secret_is_not_known_any_more_others_are_still_recognised() -> None:
    about = signed(BODY, signing.new_secret())
    new = Key(SECRET, "the new secret", Mistake("The new secret", "Look at a newer attempt."))
    for pasted, mistake in ((RIGHT, new.mistake), (of(BODY, OTHER.encode()), OTHER_ONE.mistake)):
        assert lab.judge(pasted, about, [], [new, OTHER_ONE]).mistakes == (mistake,)
    assert lab.judge(about.signatures[0], about, [], [new]) == lab.RIGHT


def test_the_work_is_bounded_however_large_the_body() -> None:
    body = json.dumps([DATA] * 40_000).encode()
    before = time.process_time()
    assert judge(b64(bytes(32)), signed(body)) == lab.UNKNOWN
    assert judge(b64(bytes(32))) == lab.UNKNOWN
    assert time.process_time() - before < 3


def test_no_secret_is_in_what_a_verdict_or_a_key_prints() -> None:
    told: list[Callable[[], object]] = [lambda: CURRENT, lambda: judge(of(BODY, OLD.encode())), lambda: OLD_ONE]
    for one in told:
        assert not any(secret[6:] in repr(one()) for secret in (SECRET, OLD, OTHER))
