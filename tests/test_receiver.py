"""`flask receive`: what the developer on the other side sees."""

from portal.receiver import pretty


def test_json_is_shown_readably_and_no_control_character_reaches_the_terminal() -> None:
    shown = pretty('{"name":"Zoë","evil":"\\u001b[2J","ids":[1]}'.encode())
    assert '"name": "Zoë"' in shown
    assert "\x1b" not in shown
    assert "\x1b" not in pretty(b"no json \x1b[2J")
