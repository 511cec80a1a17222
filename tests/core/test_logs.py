"""The log says what happened and where, and nothing about anybody."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from core import logs
from tests.world import World, order

PERSONAL = ["Ara Kim", "ara.kim", "example.org", "1234", "ara-ref", "secret-note", "Seoul-ro"]


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    """What the application logs during a test, at the most talkative level."""
    text = io.StringIO()
    logger = logging.getLogger("dangol")
    handler = logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    level, stream = logger.level, handler.setStream(text)
    logger.setLevel(logging.DEBUG)
    yield text
    logger.setLevel(level)
    if stream is not None:
        handler.setStream(stream)


def test_the_log_holds_no_personal_data_no_key_and_no_path(world: World, log: io.StringIO) -> None:
    person = {
        "email": "ara.kim@example.org",
        "name": "Ara Kim",
        "phone": "+82 10 5555 1234",
        "visitor": {"address": "Seoul-ro 1"},
    }
    world.put("/members/ara-ref", person)
    for body in ({"email": "ara.kim@example.org", "nickname": "Ara Kim"}, {"name": "Ara Kim\x00"}):
        assert world.call("PUT", "/members/ara-ref", body).status_code == 422
    refused = order(1000, member_ref="ara-ref", channel="secret-note", currency="KRW")
    assert world.call("PUT", "/orders/ara-ref", refused).status_code == 422
    assert world.call("GET", "/members/ara-ref-2/tier").status_code == 404
    assert world.call("GET", "/ara-ref?email=ara.kim@example.org").status_code == 404
    assert world.call("GET", "/members?email=ara.kim@example.org").status_code == 422
    client = world.app.test_client()
    wrong = {"Authorization": "Bearer sk_test_ara-ref-1234"}
    assert client.get("/v1/members/ara-ref", headers=wrong).status_code == 401
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert len(lines) == 7
    for told in (*PERSONAL, world.key, world.key[8:], world.publishable_key, "Bearer"):
        assert told not in log.getvalue()
    assert {line["status"] for line in lines} == {401, 404, 422}


def test_a_line_leads_from_the_answer_to_the_route(world: World, log: io.StringIO) -> None:
    response = world.call("GET", "/members/nobody/tier")
    [line] = [json.loads(one) for one in log.getvalue().splitlines()]
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert (line["method"], line["status"], line["code"]) == ("GET", 404, "not_found")
    assert line["route"].startswith("/v1/members/<") and line["route"].endswith("/tier")
    assert line["at"].endswith("Z")


def test_an_exception_is_logged_by_type_and_place_without_its_words(
    world: World, log: io.StringIO
) -> None:
    try:
        raise ValueError("bad row: ara.kim@example.org")
    except ValueError:
        logging.getLogger("dangol.test").exception("unexpected error")
    [line] = [json.loads(one) for one in log.getvalue().splitlines()]
    assert line["error"] == "ValueError"
    assert line["trace"][-1].startswith("test_logs.py:")
    assert "example.org" not in log.getvalue()


def test_a_second_application_does_not_log_twice(world: World, log: io.StringIO) -> None:
    logs.init("debug")
    world.call("GET", "/members/nobody")
    assert len(log.getvalue().splitlines()) == 1
