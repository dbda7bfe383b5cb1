"""The fast receiver remembers what it got and answers as it is told to."""

import requests

from tests.sink import Manners, sinking


def test_it_remembers_each_request_and_answers_as_told() -> None:
    with sinking() as sink, requests.Session() as session:
        headers = {"webhook-id": "msg_1", "x-cloudcx-attempt": "2", "x-cloudcx-trigger": "automatic"}
        assert session.post(sink.url("a"), b"{}", headers=headers).status_code == 200
        sink.behave("a", Manners(status=503))
        assert session.post(sink.url("a"), b"{}", headers=headers).status_code == 503
        sink.behave("a", Manners(refuses=b"poison"))
        assert [session.post(sink.url("a"), body).status_code for body in (b"poison", b"{}")] == [500, 200]
        assert (sink.count(), sink.accepted()) == (4, 2)
        first = sink.collect()[0]
        assert (first.name, first.event_id, first.attempt, first.status) == ("a", "msg_1", 2, 200)
        assert [one.status for one in sink.collect()] == [200, 503, 500, 200]
