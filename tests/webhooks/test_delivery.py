"""Messages are signed, sent, tried again by the schedule, given up or replayed as promised."""

import json
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
import standardwebhooks

from core import clock, ids
from tests.contract.checking import problem
from tests.webhooks.conftest import Hooks, verified
from tests.webhooks.receiver import Receiver

DAY = 24 * 3600
MakeReceiver = Callable[..., Receiver]


def seconds_between(earlier: str, later: str) -> float:
    return (clock.parse_instant(later) - clock.parse_instant(earlier)) / clock.SECOND


def test_a_message_is_sent_as_standard_webhooks_has_it(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url, "program.published")
    hooks.tell(version=2, note="새 버전", actor=None)
    hooks.run()
    [(headers, body)] = receiver.got
    assert verified(endpoint["secret"], (headers, body)) == {
        "type": "program.published",
        "timestamp": "2026-03-01T10:00:00Z",
        "data": {
            "program_id": hooks.world.program_id,
            "version": 2,
            "note": "새 버전",
            "actor": None,
        },
    }
    assert headers["content-type"] == "application/json"
    assert headers[":path"] == "/hooks?from=dangol"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert ids.read_id("msg", headers["webhook-id"]) is not None
    delivery = hooks.one()
    assert delivery["message_id"] == headers["webhook-id"]
    assert (delivery["state"], delivery["next_at"]) == ("delivered", None)
    [attempt] = delivery["attempts"]
    assert (attempt["status"], attempt["error"], attempt["response"]) == (204, None, "")
    hooks.run()
    assert len(receiver.got) == 1


def test_a_changed_body_or_id_does_not_verify(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url)
    hooks.tell(version=2)
    hooks.run()
    [(headers, body)] = receiver.got
    for changed in (
        (headers, body.replace(b'"version":2', b'"version":3')),
        (headers | {"webhook-id": "msg_other"}, body),
        (headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            verified(endpoint["secret"], changed)


def test_a_message_about_a_member_names_the_member(hooks: Hooks, receiver: Receiver) -> None:
    hooks.endpoint(receiver.url, "member.created")
    hooks.world.member("mina")
    hooks.run()
    [(_, body)] = receiver.got
    message = json.loads(body)
    assert message["type"] == "member.created"
    assert message["data"]["member"] == {
        "id": hooks.world.get("/members/mina")["id"],
        "member_ref": "mina",
    }
    hooks.tell("member.created", member_id=ids.new_id(), member_ref="gone")
    hooks.run()
    assert json.loads(receiver.got[1][1])["data"]["member"]["member_ref"] is None


def test_an_endpoint_gets_the_types_it_asked_for_from_then_on(
    hooks: Hooks, make_receiver: MakeReceiver
) -> None:
    one, group, everything, late = (make_receiver() for _ in range(4))
    hooks.endpoint(one.url, "points.earned")
    hooks.endpoint(group.url, "points.*", "points.earned")
    hooks.endpoint(everything.url, "*")
    for told in ("points.earned", "points.expired", "tier.changed"):
        hooks.tell(told)
    hooks.endpoint(late.url, "*")
    hooks.run()
    got = [
        sorted(json.loads(body)["type"] for _, body in receiver.got)
        for receiver in (one, group, everything, late)
    ]
    assert got == [
        ["points.earned"],
        ["points.earned", "points.expired"],
        ["points.earned", "points.expired", "tier.changed"],
        [],
    ]


def test_failures_are_tried_again_by_the_schedule_and_given_up(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b"not today")]
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    waited = []
    for _ in range(9):
        delivery = hooks.one()
        assert delivery["state"] == "pending"
        last = delivery["attempts"][-1]
        assert (last["status"], last["response"]) == (500, "not today")
        ended = seconds_between(last["at"], delivery["next_at"]) - last["duration_ms"] / 1000
        waited.append(ended)
        count = len(receiver.got)
        hooks.run()
        assert len(receiver.got) == count, "sent before it was due"
        hooks.make_due()
        hooks.run()
    minute, hour = 60, 3600
    delays = [5, 5 * minute, 30 * minute] + [hours * hour for hours in (2, 5, 10, 14, 20, 24)]
    for seconds, delay in zip(waited, delays, strict=True):
        assert delay - 0.002 <= seconds <= delay * 1.1 + 0.002
    assert any(seconds > delay * 1.001 for seconds, delay in zip(waited, delays, strict=True))
    delivery = hooks.one()
    assert (delivery["state"], delivery["next_at"], len(delivery["attempts"])) == (
        "failed",
        None,
        10,
    )
    hooks.deliver(seconds=30 * DAY)
    assert len(receiver.got) == 10
    assert len(set(receiver.ids)) == 1


def test_the_same_message_waits_differently_for_different_endpoints(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b"")]
    for _ in range(8):
        hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    # The second attempt's delay is five minutes and up to thirty seconds more.
    hooks.set_delivery(next_at=0)
    hooks.run()
    delays = set()
    for delivery in hooks.log():
        last = delivery["attempts"][-1]
        seconds = seconds_between(last["at"], delivery["next_at"]) - last["duration_ms"] / 1000
        assert 300 - 0.002 <= seconds <= 330
        delays.add(round(seconds))
    assert len(delays) >= 4


def test_a_receiver_that_is_gone_is_disabled_and_told_nothing_more(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b""), (410, {}, b"")]
    endpoint = hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    hooks.tell()
    hooks.run()
    shown = hooks.get(endpoint)
    assert shown["state"] == "disabled"
    assert shown["disabled_reason"] == "the endpoint answered 410 Gone"
    assert [one["state"] for one in hooks.log()] == ["failed", "cancelled"]
    hooks.tell()
    hooks.run()
    hooks.deliver(seconds=30 * DAY)
    assert len(receiver.got) == 2


def test_a_receiver_that_only_fails_for_days_is_disabled_with_a_reason(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b"")]
    endpoint = hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    since = hooks.get(endpoint)["failing_since"]
    assert since is not None
    six_days_ago = clock.parse_instant(since) - 6 * DAY * clock.SECOND
    # Long, but too few: one night's outage after a quiet week is none.
    hooks.set_endpoint(endpoint, failing_since=six_days_ago, failure_count=8)
    hooks.make_due()
    hooks.run()
    assert hooks.get(endpoint)["state"] == "enabled"
    hooks.make_due()
    hooks.run()
    shown = hooks.get(endpoint)
    assert shown["state"] == "disabled"
    assert shown["disabled_reason"] == "every attempt failed for 6 days, 10 of them"
    assert hooks.one()["state"] == "cancelled"


def test_many_failures_within_a_day_do_not_disable_and_a_success_forgets_them(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.fail(12, status=500)
    endpoint = hooks.endpoint(receiver.url)
    for _ in range(12):
        hooks.tell()
    hooks.run()
    assert hooks.get(endpoint)["state"] == "enabled"
    assert hooks.get(endpoint)["failing_since"] is not None
    hooks.make_due()
    hooks.run()
    assert {one["state"] for one in hooks.log()} == {"delivered"}
    assert hooks.get(endpoint)["failing_since"] is None


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 120, 121),
        ("99999999", DAY, DAY + 1),
        ("1", 5, 6),
        ("soon", 5, 6),
        ("-5", 5, 6),
        ("", 5, 6),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 5, 6),
    ],
)
def test_retry_after_is_honoured_within_bounds(
    hooks: Hooks, receiver: Receiver, header: str, least: int, most: int
) -> None:
    receiver.answers = [(503, {"Retry-After": header}, b"")]
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    [attempt] = delivery["attempts"]
    seconds = seconds_between(attempt["at"], delivery["next_at"]) - attempt["duration_ms"] / 1000
    assert least - 0.002 <= seconds <= most


def test_retry_after_may_be_a_date_and_holds_for_the_whole_endpoint(
    hooks: Hooks, receiver: Receiver
) -> None:
    date = formatdate(time.time() + 600, usegmt=True)
    receiver.answers = [(429, {"Retry-After": date}, b""), (200, {}, b"")]
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    assert 590 <= seconds_between(delivery["attempts"][0]["at"], delivery["next_at"]) <= 601
    hooks.tell()
    hooks.run()
    assert len(receiver.got) == 1
    hooks.deliver(seconds=700)
    assert len(receiver.got) == 3


def test_both_secrets_sign_for_a_day_after_a_rotation(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url)
    rotated = hooks.world.post(f"/webhook-endpoints/{endpoint['id']}/rotate-secret")
    assert rotated["secret"] != endpoint["secret"]
    hooks.tell()
    hooks.run()
    [(headers, _)] = receiver.got
    assert [part.split(",")[0] for part in headers["webhook-signature"].split(" ")] == ["v1", "v1"]
    for secret in (endpoint["secret"], rotated["secret"]):
        verified(secret, receiver.got[0])
    hooks.tell()
    hooks.dispatch()
    hooks.deliver(seconds=DAY + 60)
    assert len(receiver.got[1][0]["webhook-signature"].split(" ")) == 1
    verified(rotated["secret"], receiver.got[1])
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verified(endpoint["secret"], receiver.got[1])


def test_a_replay_sends_the_same_message_again(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url)
    hooks.tell(version=2)
    hooks.run()
    delivery = hooks.one()
    shown = hooks.world.post(f"/webhook-deliveries/{delivery['id']}/replay", status=202)
    assert (shown["id"], shown["state"]) == (delivery["id"], "pending")
    hooks.run()
    first, second = receiver.got
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]
    verified(endpoint["secret"], second)
    assert len(hooks.one()["attempts"]) == 2


def test_what_was_given_up_can_be_replayed_with_the_whole_schedule(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.fail(2, status=500)
    endpoint = hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    hooks.set_delivery(attempt_count=9, next_at=0)
    hooks.run()
    delivery = hooks.one()
    assert delivery["state"] == "failed"
    path = f"/webhook-deliveries/{delivery['id']}/replay"
    hooks.world.call("PATCH", f"/webhook-endpoints/{endpoint['id']}", {"state": "disabled"})
    response = hooks.world.call("POST", path, headers={"Idempotency-Key": "early"})
    assert problem(response, 409, "state_conflict")["state"] == "disabled"
    hooks.world.call("PATCH", f"/webhook-endpoints/{endpoint['id']}", {"state": "enabled"})
    hooks.world.post(path, status=202)
    hooks.run()
    assert hooks.one()["state"] == "delivered"
    assert len(receiver.got) == 3
