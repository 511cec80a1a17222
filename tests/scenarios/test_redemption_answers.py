"""What is told of redemptions: messages, lists, stored answers, and after their member is gone."""

from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from tests.scenarios.ledgers import MakeWorld, opened
from tests.scenarios.redeeming import (
    FIVE,
    LATER,
    NOON,
    Till,
    messages,
    numbers,
    opened_till,
    reward,
)


@pytest.fixture
def till(make_world: MakeWorld) -> Till:
    """A program whose clock stands at noon, where Mina has 1,000 points and Jun has 100."""
    return opened_till(make_world)


def test_each_step_is_told(till: Till) -> None:
    first, second = till.hold("five")["id"], till.hold(200)["id"]
    till.done("capture", first, {"order_ref": "A-1"})
    till.done("reverse", first)
    till.done("release", second)
    told = messages(till.world)
    assert [(name, one["redemption_id"]) for name, one in told] == [
        ("redemption.held", first),
        ("redemption.held", second),
        ("redemption.captured", first),
        ("redemption.reversed", first),
        ("redemption.released", second),
    ]
    assert told[0][1] == {
        "redemption_id": first,
        "reward": "five",
        "kind": "discount_amount",
        "points_key": "points",
        "points": 100,
        "order_ref": None,
        "expires_at": LATER,
    }
    assert told[2][1] == told[0][1] | {"order_ref": "A-1", "expires_at": None}
    assert (told[1][1]["reward"], told[1][1]["kind"]) == (None, "pay_with_points")


def test_lists_are_of_what_is_asked(till: Till) -> None:
    world = till.world
    five = till.hold("five")["id"]
    free = till.hold("free", ttl="PT1M")["id"]
    jun = till.hold("five", "jun")["id"]
    till.done("capture", five, {"order_ref": "A/1"})
    world.set_clock("2026-03-01T12:01:00Z")

    def listed(query: str) -> list[str]:
        return [one["id"] for one in world.get(f"/redemptions?{query}")["data"]]

    assert listed("") == [jun, free, five]
    assert listed("member_ref=mina") == [free, five]
    assert listed("reward=five") == [jun, five]
    assert listed("order_ref=A/1") == [five]
    assert listed("member_ref=mina&reward=free&state=expired") == [free]
    states = {"captured": [five], "expired": [free], "held": [jun], "released": [], "reversed": []}
    assert {state: listed(f"state={state}") for state in states} == states
    first = world.get("/redemptions?limit=2")
    assert [one["id"] for one in first["data"]] == [jun, free]
    rest = world.get(f"/redemptions?limit=2&cursor={first['next_cursor']}")
    assert ([one["id"] for one in rest["data"]], rest["next_cursor"]) == ([five], None)
    assert rest["data"][0] == world.get(f"/redemptions/{five}")
    assert world.call("GET", "/redemptions?member_ref=nobody").status_code == 404
    assert world.call("GET", "/redemptions?state=gone").status_code == 422
    assert world.call("GET", "/redemptions?cursor=x").status_code == 400


def test_another_program_sees_nothing_of_them(till: Till, make_world: MakeWorld) -> None:
    redemption_id = till.hold("five")["id"]
    other = Till(opened(make_world, NOON, rewards=[FIVE]))
    assert other.world.get("/redemptions")["data"] == []
    assert other.world.call("GET", f"/redemptions/{redemption_id}").status_code == 404
    for how in ("capture", "release", "reverse"):
        assert other.end(how, redemption_id).status_code == 404
    assert till.state(redemption_id) == "held"


def test_what_was_captured_before_a_merge_goes_back_to_the_one_who_stays(till: Till) -> None:
    world = till.world
    redemption_id = till.hold("five", "jun")["id"]
    till.done("capture", redemption_id)
    world.post("/members/jun/merge", {"into_member_ref": "mina"})
    assert numbers(world) == (1000, 0)
    for _ in range(2):
        answer = till.end("reverse", redemption_id).json
        assert answer["redemption"]["state"] == "reversed"
        assert answer["redemption"]["member_ref"] == "mina"
        assert answer["balances"][0]["available"] == 1100 == numbers(world)[0]
    assert world.verify()["mismatches"] == []


def test_what_goes_back_to_an_erased_member_is_gone_at_once(till: Till) -> None:
    world = till.world
    redemption_id = till.hold("five")["id"]
    till.done("capture", redemption_id)
    assert world.call("DELETE", "/members/mina").status_code == 200
    answer = till.end("reverse", redemption_id).json
    assert answer["redemption"]["member_ref"] is None
    assert answer["balances"][0]["available"] == 0
    assert till.ask("/redemptions", till.body("five")).status_code == 404
    assert world.get("/redemptions")["data"][0]["member_ref"] is None
    assert world.verify()["mismatches"] == []


def test_a_stored_answer_goes_with_its_member(till: Till) -> None:
    redemption_id = till.ask("/redemptions", till.body("five"), key="h").json["redemption"]["id"]
    till.ask(f"/redemptions/{redemption_id}/capture", {}, key="c")
    assert till.world.call("DELETE", "/members/mina").status_code == 200
    assert till.ask("/redemptions", till.body("five"), key="h").status_code == 404
    assert till.ask(f"/redemptions/{redemption_id}/capture", {}, key="c").status_code == 404


def test_a_code_is_stored_sealed_and_shown_to_whoever_repeats(make_world: MakeWorld) -> None:
    from core.idempotency import KEYS

    world = opened(make_world, NOON, rewards=[reward("code", cost_points=0, voucher={})])
    till = Till(world)
    first, again = (till.ask("/redemptions", till.body("code"), key="same") for _ in range(2))
    code = first.json["redemption"]["voucher"]["code"]
    assert len(code.replace("-", "")) == 13
    assert first.get_data() == again.get_data()
    assert world.get("/redemptions")["data"][0]["voucher"]["code"] == code

    def stored(connection: sa.Connection) -> list[Any]:
        where = KEYS.c.program_id == ids.read_id("prg", world.program_id)
        return list(connection.execute(sa.select(KEYS.c.body).where(where)).scalars())

    with world.app.app_context():
        bodies = db.reading(stored)
    assert bodies and not any(code.encode() in bytes(body) for body in bodies)
