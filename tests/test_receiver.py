"""`flask receive`: what the developer on the other side sees."""

import time

import pytest

from portal.receiver import pretty, verdict
from portal.webhooks import signing

SECRET = signing.new_secret()
BODY = b'{"event":"ContactDeleted","ids":["1"]}'


def headers(body: bytes = BODY, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    stamp = int(time.time()) - age
    signature = signing.sign(secret, "msg_1", stamp, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(stamp), "webhook-signature": signature}


def test_a_true_delivery_is_valid_with_any_of_the_secrets() -> None:
    assert verdict(headers(), BODY, [signing.new_secret(), SECRET]) == "valid"


@pytest.mark.parametrize(
    ("given", "body", "secrets", "says"),
    [
        (headers(), BODY + b" ", [SECRET], "NOT VALID"),
        (headers(secret=signing.new_secret()), BODY, [SECRET], "NOT VALID"),
        (headers(age=301), BODY, [SECRET], "more than 5 minutes"),
        ({}, BODY, [SECRET], "unsigned"),
        (headers() | {"webhook-timestamp": "soon"}, BODY, [SECRET], "unsigned"),
        (headers(), BODY, [], "--secret"),
    ],
)
def test_everything_else_is_said_in_words(given: dict[str, str], body: bytes, secrets: list[str], says: str) -> None:
    assert says in verdict(given, body, secrets)


def test_json_is_shown_readably_and_no_control_character_reaches_the_terminal() -> None:
    shown = pretty('{"name":"Zoë","evil":"\\u001b[2J","ids":[1]}'.encode())
    assert '"name": "Zoë"' in shown
    assert "\x1b" not in shown
    assert "\x1b" not in pretty(b"no json \x1b[2J")
