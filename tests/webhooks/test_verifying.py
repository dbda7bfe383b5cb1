"""What a receiver finds out: a true delivery is valid, and everything else is said in words."""

import time

import pytest

from portal.webhooks import signing
from portal.webhooks.verifying import Verdict, verify

SECRET = signing.new_secret()
BODY = b'{"event":"ContactDeleted","ids":["1"]}'


def headers(body: bytes = BODY, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    stamp = int(time.time()) - age
    signature = signing.sign(secret, "msg_1", stamp, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(stamp), "webhook-signature": signature}


def test_a_true_delivery_is_valid_with_any_of_the_secrets() -> None:
    assert verify(headers(), BODY, [signing.new_secret(), SECRET]) is Verdict.VALID


def test_one_of_several_signatures_is_enough() -> None:
    other = headers(secret=signing.new_secret())["webhook-signature"]
    both = headers() | {"webhook-signature": f"{other} {headers()['webhook-signature']}"}
    assert verify(both, BODY, [SECRET]) is Verdict.VALID


def test_a_changed_body_or_another_secret_is_not_valid() -> None:
    assert verify(headers(), BODY + b" ", [SECRET]) is Verdict.NOT_VALID
    assert verify(headers(secret=signing.new_secret()), BODY, [SECRET]) is Verdict.NOT_VALID
    assert verify(headers() | {"webhook-signature": "v1,Zürich"}, BODY, [SECRET]) is Verdict.NOT_VALID


@pytest.mark.parametrize("age", [360, -360])
def test_what_is_signed_for_another_time_is_stale(age: int) -> None:
    assert verify(headers(age=age), BODY, [SECRET]) is Verdict.STALE


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_one_of_the_three_headers_it_is_unsigned(name: str) -> None:
    assert verify(headers() | {name: ""}, BODY, [SECRET]) is Verdict.UNSIGNED


@pytest.mark.parametrize("stamp", ["soon", "\N{SUPERSCRIPT TWO}", "-1", "1.5"])
def test_a_timestamp_that_is_no_number_is_none(stamp: str) -> None:
    assert verify(headers() | {"webhook-timestamp": stamp}, BODY, [SECRET]) is Verdict.UNSIGNED


def test_without_a_secret_nothing_is_claimed() -> None:
    assert verify(headers(), BODY, []) is Verdict.UNKNOWN
