"""Refunds told under their own reference: SEMANTICS B9, B10, B12, B13; API section 4."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from storefront.refunding import refunds
from storefront.schemas import OrderAnswer, RefundAnswer
from tests.concurrency.parallel import assert_sound, at_once
from tests.world import World, line, order, per_euro, points, reversed_points, rule

Make = Callable[..., World]
THIRDS = (3333, 3333, 3334)
AT = "2026-03-05T10:00:00Z"


def _of_line(ref: str, **told: int) -> dict[str, Any]:
    return {"lines": [{"line_ref": ref, **told}]}


def _refund(
    world: World, ref: str, *, order_ref: str = "A-1", status: int = 201, **told: Any
) -> Any:
    body = {"refunded_at": AT} | told
    return world.put(f"/orders/{order_ref}/refunds/{ref}", body, status=status)


def _refused(world: World, answer: int, code: str, **told: Any) -> Any:
    response = world.call("PUT", "/orders/A-1/refunds/R-9", {"refunded_at": AT} | told)
    assert (response.status_code, response.json["code"]) == (answer, code)
    return response.json


def _state(world: World, ref: str = "A-1") -> Any:
    """What stands of an order, without when it was last told."""
    told = world.get(f"/orders/{ref}")
    shown = told["order"]
    names = ("net_minor", "refunded_minor", "spend_minor", "qualifying_points")
    return {name: shown[name] for name in names} | {"earned": points(told)}


def test_a_refund_answers_as_an_order_does_and_is_shown_with_it(world: World) -> None:
    world.order("A-1", 6000, 4000)
    told = _refund(world, "R-1", **_of_line("1", quantity=1, amount_minor=6000))
    assert (points(told), reversed_points(told)) == (40, 60)
    assert (told["order"]["net_minor"], told["order"]["refunded_minor"]) == (4000, 6000)
    assert told["balances"][0]["available"] == 40
    assert (told["points_returned"], told["suggested_refund_deduction_minor"]) == (0, 0)
    assert told["problems"] == []
    expected = {
        "refund_ref": "R-1",
        "status": "succeeded",
        "refunded_at": AT,
        "lines": [{"line_ref": "1", "quantity": 1, "amount_minor": 6000}],
        "refunded_minor": 6000,
        "shipping_refunded_minor": 0,
        "is_parked": False,
    }
    assert told["refund"] == expected
    assert world.get("/orders/A-1")["order"]["refunds"] == [expected]
    assert world.get("/orders/A-1")["order"]["lines"][0]["refunded_quantity"] == 0
    assert_sound(world)


def test_every_answer_is_as_the_reference_says(world: World) -> None:
    schema = RefundAnswer()
    world.order("A-1", 6000, 4000)
    world.order("G-1", 6000, 4000, member_ref=None)
    card = [{"kind": "card", "amount_minor": 1000}]
    told = [
        _refund(world, "R-1", amount_minor=1000, payments=card),
        _refund(world, "R-2", **_of_line("1", quantity=1), shipping_minor=0),
        _refund(world, "R-1", order_ref="G-1", amount_minor=1000),
        _refund(world, "R-1", order_ref="A-2", amount_minor=1000, status=202),
    ]
    assert [schema.validate(one) for one in told] == [{}] * 4
    assert OrderAnswer().validate(world.get("/orders/A-1")) == {}


def test_the_same_refund_again_changes_nothing(world: World) -> None:
    world.order("A-1", 6000, 4000)
    told = _refund(world, "R-1", amount_minor=2000)
    count = len(world.entries())
    again = _refund(world, "R-1", amount_minor=2000, status=200)
    assert again["order"] == told["order"]
    assert (points(again), again["reversed"]) == (80, [])
    assert again["balances"] == told["balances"]
    assert len(world.entries()) == count


def test_a_reversal_is_effective_when_it_was_refunded(world: World) -> None:
    world.order("A-1", 6000, 4000)
    told = _refund(world, "R-1", amount_minor=2000)
    assert [one["effective_at"] for one in told["reversed"][0]["entries"]] == [AT]
    early = _refund(world, "R-2", amount_minor=1000, refunded_at="2026-02-01T10:00:00Z")
    # Nothing can be taken back before it was earned.
    assert early["reversed"][0]["entries"][0]["effective_at"] == "2026-03-01T10:00:00Z"


def test_a_time_ahead_of_the_clock_is_the_clock_and_five_minutes_ahead_is_refused(
    world: World,
) -> None:
    world.set_clock("2026-04-01T00:00:00Z")
    world.order("A-1", 10000)
    refused = _refused(
        world, 422, "validation_failed", amount_minor=1, refunded_at="2026-04-01T00:05:01Z"
    )
    assert refused["errors"][0]["pointer"] == "/refunded_at"
    told = _refund(world, "R-1", amount_minor=1000, refunded_at="2026-04-01T00:04:00Z")
    assert told["refund"]["refunded_at"] == "2026-04-01T00:00:00Z"
    assert told["reversed"][0]["entries"][0]["effective_at"] == "2026-04-01T00:00:00Z"


@pytest.mark.parametrize("turn", list(itertools.permutations((0, 1, 2))))
def test_lines_refunded_one_by_one_take_100_in_all(world: World, turn: tuple[int, ...]) -> None:
    world.order("A-1", *THIRDS)
    taken = [
        reversed_points(
            _refund(world, f"R-{index}", **_of_line(str(index + 1), amount_minor=THIRDS[index]))
        )
        for index in turn
    ]
    if turn == (0, 1, 2):
        assert taken == [34, 33, 33]
    assert sum(taken) == 100
    assert world.balance() == 0
    assert _state(world)["net_minor"] == 0


@pytest.mark.parametrize(("on_refund", "left"), [("keep", 290), ("recheck", 90), ("prorate", 240)])
def test_a_fixed_bonus_follows_its_own_rule(make_world: Make, on_refund: str, left: int) -> None:
    # B10: 120 by amount + 200 from 100.00 on, 30.00 back; prorated 200 × 90 / 120 = 150.
    enough = {"fact": "order.net_minor", "op": ">=", "value": 10000}
    bonus = rule("bonus", {"do": "add_points", "points": 200}, when=enough, on_refund=on_refund)
    world = make_world(earning={"rules": [rule("base", per_euro()), bonus]})
    world.member()
    assert world.earned("A-1", 12000) == 320
    told = _refund(world, "R-1", amount_minor=3000)
    assert (points(told), reversed_points(told)) == (left, 320 - left)
    gone = _refund(world, "R-2", amount_minor=9000)
    assert (points(gone), reversed_points(gone)) == (0, left)
    assert world.balance() == 0


def test_a_claw_back_takes_the_lot_that_the_order_made(make_world: Make) -> None:
    # B12: lots of 100 and 100; what A-2 made goes first although A-1's expires sooner.
    world = make_world(
        points=[{"key": "points", "expiry": {"policy": "after", "duration": "P12M"}}]
    )
    world.set_clock("2026-04-01T00:00:00Z")
    world.member()
    world.order("A-1", 10000)
    world.order("A-2", 10000, placed_at="2026-03-20T10:00:00Z")
    _refund(world, "R-1", order_ref="A-2", amount_minor=6000, refunded_at="2026-03-21T00:00:00Z")
    expiring = world.get("/members/mina/balances")["data"][0]["expiring"]
    assert [(one["expires_at"][:10], one["points"]) for one in expiring] == [
        ("2027-03-01", 100),
        ("2027-03-20", 40),
    ]
    assert_sound(world)


def test_a_changed_refund_is_recomputed(world: World) -> None:
    world.order("A-1", 6000, 4000)
    _refund(world, "R-1", amount_minor=2000)
    more = _refund(world, "R-1", amount_minor=5000, status=200)
    assert (points(more), reversed_points(more)) == (50, 30)
    less = _refund(world, "R-1", **_of_line("2", amount_minor=1000), status=200)
    assert (points(less), less["reversed"]) == (90, [])
    assert "amount_minor" not in less["refund"]
    assert world.balance() == 90
    assert_sound(world)


def test_a_withdrawn_refund_gives_back_and_can_be_told_again(world: World) -> None:
    told = world.order("A-1", 10000)
    decision = world.get(f"/decisions/{told['decision_id']}")
    _refund(world, "R-1", amount_minor=4000)
    back = world.put(
        "/orders/A-1/refunds/R-1",
        {"refunded_at": AT, "amount_minor": 4000, "status": "withdrawn"},
        status=200,
    )
    assert (points(back), back["reversed"], world.balance()) == (100, [], 100)
    assert back["refund"]["refunded_minor"] == 0
    again = world.get(f"/decisions/{back['decision_id']}")
    assert (again["version"], again["facts"]) == (decision["version"], decision["facts"])
    # What came back lies in the lot that it was taken from.
    assert [one["kind"] for one in world.entries()] == ["earn", "claw_back", "restore"]
    anew = _refund(world, "R-1", amount_minor=4000, status=200)
    assert (points(anew), reversed_points(anew)) == (60, 40)
    assert_sound(world)


def test_a_refund_is_decided_by_the_version_that_the_order_was_decided_by(world: World) -> None:
    world.order("A-1", 10000)
    world.publish(earning={"rules": [rule("base", per_euro(5))]})
    assert reversed_points(_refund(world, "R-1", amount_minor=3000)) == 30


def test_an_amount_is_spread_over_what_is_left(make_world: Make) -> None:
    only_a = {"when": {"fact": "line.sku", "op": "=", "value": "A"}}
    world = make_world(earning={"rules": [rule("base", per_euro() | {"lines": only_a})]})
    world.member()
    lines = (line("1", 6000, sku="A"), line("2", 4000, sku="B"))
    assert world.earned("A-1", *lines) == 60
    assert points(_refund(world, "R-1", amount_minor=2000)) == 48  # 12.00 of A, 8.00 of B
    rest = _of_line("2", amount_minor=3200)
    assert points(_refund(world, "R-2", refunded_at="2026-03-06T10:00:00Z", **rest)) == 48
    last = _refund(world, "R-3", refunded_at="2026-03-07T10:00:00Z", amount_minor=800)
    assert points(last) == 40


def test_snapshot_and_refunds_stand_by_the_greater_never_by_their_sum(world: World) -> None:
    world.order("A-1", 6000, 4000)
    _refund(world, "R-1", **_of_line("2", quantity=1, amount_minor=4000))
    lines = (line("1", 6000), line("2", 4000, refunded_quantity=1))
    assert world.earned("A-1", *lines) == 60
    # Told without its refunds again: nothing is undone.
    assert world.earned("A-1", 6000, 4000) == 60
    assert world.earned("A-1", 6000, 4000, refunded_minor=4000) == 60
    assert world.earned("A-1", line("1", 6000, refunded_minor=1000), 4000) == 50
    assert _state(world)["refunded_minor"] == 5000
    assert_sound(world)


def test_shipping_is_refunded_besides_or_alone(make_world: Make) -> None:
    rules = [rule("base", per_euro())]
    world = make_world(earning={"basis": {"shipping": True}, "rules": rules})
    world.member()
    assert world.earned("A-1", 10000, shipping_minor=500) == 105
    alone = _refund(world, "R-1", shipping_minor=300)
    assert points(alone) == 102
    assert alone["refund"]["shipping_refunded_minor"] == 300
    _refused(world, 409, "state_conflict", shipping_minor=201)
    assert points(_refund(world, "R-2", amount_minor=1000, shipping_minor=200)) == 90
    assert world.earned("A-1", 10000, shipping_minor=500, shipping_refunded_minor=500) == 90


def test_more_than_is_left_is_refused_and_not_stored(world: World) -> None:
    world.order("A-1", 6000, 4000)
    _refund(world, "R-1", **_of_line("1", amount_minor=5000))
    before = world.get("/orders/A-1")
    for told in (
        _of_line("1", amount_minor=1001),
        _of_line("1", quantity=2, amount_minor=0),
        {"amount_minor": 5001},
        {"amount_minor": 1, "shipping_minor": 1},
    ):
        assert _refused(world, 409, "state_conflict", **told)["state"] == "paid"
    assert world.get("/orders/A-1") == before
    # A refund that was there is not changed into too much either.
    body = {"refunded_at": AT, "amount_minor": 10001}
    assert world.call("PUT", "/orders/A-1/refunds/R-1", body).status_code == 409
    assert world.get("/orders/A-1") == before
    assert points(_refund(world, "R-2", amount_minor=5000)) == 0


def test_what_is_told_again_as_succeeded_must_still_be_there(world: World) -> None:
    world.order("A-1", 10000)
    withdrawn = {"refunded_at": AT, "amount_minor": 6000, "status": "withdrawn"}
    world.put("/orders/A-1/refunds/R-1", withdrawn, status=201)
    _refund(world, "R-2", amount_minor=6000)
    body = {"refunded_at": AT, "amount_minor": 6000}
    assert world.call("PUT", "/orders/A-1/refunds/R-1", body).status_code == 409
    assert world.balance() == 40


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ({}, ""),
        ({"amount_minor": 1, **_of_line("1", amount_minor=1)}, "/amount_minor"),
        (_of_line("1"), "/lines/0"),
        (_of_line("7", amount_minor=1), "/lines/0/line_ref"),
        ({"lines": [{"line_ref": "1", "amount_minor": 1}] * 2}, "/lines/1/line_ref"),
        ({"lines": []}, "/lines"),
        ({"amount_minor": -1}, "/amount_minor"),
        ({"amount_minor": 1, "status": "failed"}, "/status"),
        ({"amount_minor": 1, "currency": "EUR"}, "/currency"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_pointer(
    world: World, told: dict[str, Any], pointer: str
) -> None:
    world.order("A-1", 6000, 4000)
    problem = _refused(world, 422, "validation_failed", **told)
    assert problem["errors"][0]["pointer"] == pointer


def test_a_refund_waits_for_its_order(world: World) -> None:
    parked = _refund(world, "R-1", amount_minor=2000, status=202)
    assert parked["order"] is None
    assert parked["refund"]["is_parked"] is True
    assert _refund(world, "R-1", amount_minor=2000, status=202)["refund"] == parked["refund"]
    assert world.call("GET", "/orders/A-1").status_code == 404
    assert world.balance() == 0
    told = world.order("A-1", 6000, 4000)
    assert points(told) == 80
    assert told["order"]["refunds"][0]["is_parked"] is False
    assert told["problems"] == []
    again = _refund(world, "R-1", amount_minor=2000, status=200)
    assert (points(again), again["reversed"]) == (80, [])
    assert_sound(world)


def test_a_parked_refund_is_applied_up_to_the_order(world: World) -> None:
    _refund(world, "R-1", status=202, **_of_line("1", amount_minor=7000))
    _refund(world, "R-2", status=202, **_of_line("9", amount_minor=500))
    told = world.order("A-1", 6000, 4000)
    assert points(told) == 40
    assert [(one["code"], one["pointer"]) for one in told["problems"]] == [
        ("state_conflict", "/refunds/R-1"),
        ("state_conflict", "/refunds/R-2"),
    ]
    assert "no line 9" in told["problems"][1]["detail"]
    assert [one["refunded_minor"] for one in told["order"]["refunds"]] == [6000, 0]
    # They can be put right.
    right = _refund(world, "R-1", status=200, **_of_line("1", amount_minor=5000))
    assert (points(right), len(right["problems"])) == (50, 1)
    assert_sound(world)


def test_a_parked_refund_is_applied_by_a_batch_too(world: World) -> None:
    _refund(world, "R-1", order_ref="A-2", amount_minor=1000, status=202)
    orders = [{"order_ref": f"A-{number}", **order(10000)} for number in (1, 2, 3)]
    results = world.post("/orders/batch", {"orders": orders})["results"]
    assert [points(one) for one in results] == [100, 90, 100]
    # Told again in a batch, the refund stands.
    results = world.post("/orders/batch", {"orders": orders})["results"]
    assert [points(one) for one in results] == [100, 90, 100]
    assert world.balance() == 290
    assert_sound(world)


def test_every_order_of_arrival_ends_the_same(make_world: Make) -> None:
    told = {
        "paid": ("/orders/A-1", order(6000, 4000, revision=1)),
        "line": ("/orders/A-1/refunds/R-1", {"refunded_at": AT} | _of_line("2", amount_minor=2000)),
        "amount": ("/orders/A-1/refunds/R-2", {"refunded_at": AT, "amount_minor": 1600}),
        "fulfilled": ("/orders/A-1", order(6000, 4000, revision=2, status="fulfilled")),
    }
    found = set()
    for number, turn in enumerate(itertools.permutations(told)):
        world = make_world()
        world.member()
        for name in (*turn, turn[number % 4], turn[(number + 1) % 4]):
            world.put(*told[name], status=(200, 201, 202))
        state = _state(world) | {"lines": world.balance()}
        found.add(tuple(sorted(state.items())))
        if not number:
            assert_sound(world)
    # 100.00 less 20.00 and 16.00.
    assert found == {
        (
            ("earned", 64),
            ("lines", 64),
            ("net_minor", 6400),
            ("qualifying_points", 64),
            ("refunded_minor", 3600),
            ("spend_minor", 6400),
        )
    }


def test_cancelled_and_paid_again_with_a_refund_in_any_order(make_world: Make) -> None:
    told = {
        "paid": ("/orders/A-1", order(10000, revision=1)),
        "refund": ("/orders/A-1/refunds/R-1", {"refunded_at": AT, "amount_minor": 2000}),
        "cancelled": ("/orders/A-1", order(10000, revision=2, status="cancelled")),
        "paid again": ("/orders/A-1", order(10000, revision=3)),
    }
    for turn in itertools.permutations(told):
        world = make_world()
        world.member()
        for name in turn:
            world.put(*told[name], status=(200, 201, 202))
        assert (world.balance(), _state(world)["refunded_minor"]) == (80, 2000), turn


def test_a_refund_of_a_cancelled_order_is_kept(world: World) -> None:
    world.order("A-1", 10000)
    _refund(world, "R-1", amount_minor=2000)
    gone = world.order("A-1", 10000, status="cancelled")
    assert (reversed_points(gone), gone["order"]["net_minor"]) == (80, 0)
    told = _refund(world, "R-2", amount_minor=8000)
    assert (told["reversed"], told["order"]["refunded_minor"], world.balance()) == ([], 10000, 0)
    assert_sound(world)


def test_a_refund_follows_its_order_to_another_member(world: World) -> None:
    world.order("A-1", 10000)
    _refund(world, "R-1", amount_minor=2000)
    moved = world.order("A-1", 10000, member_ref="jun")
    assert points(moved) == 80
    assert (world.balance("mina"), world.balance("jun")) == (0, 80)
    _refund(world, "R-2", amount_minor=3000)
    assert (world.balance("mina"), world.balance("jun")) == (0, 50)
    assert_sound(world)


def test_a_guests_order_is_refunded_before_it_has_a_member(world: World) -> None:
    world.order("A-1", 10000, member_ref=None)
    told = _refund(world, "R-1", amount_minor=2000)
    assert (told["order"]["net_minor"], told["earned"], told["balances"]) == (8000, [], [])
    _refund(world, "R-2", order_ref="A-2", amount_minor=500, status=202)
    assert world.order("A-2", 1000, member_ref=None)["order"]["net_minor"] == 500
    assert points(world.order("A-1", 10000)) == 80
    assert_sound(world)


def test_tier_progress_falls_with_a_refund(make_world: Make) -> None:
    tiers = {
        "basis": {"metric": "spend", "window": "lifetime"},
        "levels": [{"key": "gold", "enter_at": 9000}],
    }
    world = make_world(tiers=tiers)
    world.member()
    assert world.order("A-1", 10000)["tier"]["key"] == "gold"
    told = _refund(world, "R-1", amount_minor=2000)
    assert told["tier"]["progress"][0]["value"] == 8000
    assert told["order"]["spend_minor"] == 8000


def test_a_preview_changes_nothing(world: World) -> None:
    world.order("A-1", 10000)
    before = (world.get("/orders/A-1"), world.entries(), world.get("/members/mina/balances"))
    path = "/orders/A-1/refunds/R-1?dry_run=true"
    seen = world.put(path, {"refunded_at": AT, "amount_minor": 3000}, status=200)
    # What is not decided has no decision.
    assert (seen["decision_id"], seen["earned"][0]["decision_id"]) == (None, None)
    assert (points(seen), reversed_points(seen), seen["balances"][0]["available"]) == (70, 30, 70)
    assert seen["refund"]["refunded_minor"] == 3000
    too_much = world.call("PUT", path, {"refunded_at": AT, "amount_minor": 30000})
    assert too_much.status_code == 409
    after = (world.get("/orders/A-1"), world.entries(), world.get("/members/mina/balances"))
    assert after == before
    told = _refund(world, "R-1", amount_minor=3000)
    assert (points(told), reversed_points(told)) == (70, 30)
    withdrawn = {"refunded_at": AT, "amount_minor": 3000, "status": "withdrawn"}
    assert world.put(path, withdrawn, status=200)["balances"][0]["available"] == 100
    assert world.balance() == 70
    parked = "/orders/A-9/refunds/R-1?dry_run=true"
    assert world.put(parked, {"refunded_at": AT, "amount_minor": 1}, status=200)["order"] is None
    assert world.order("A-9", 1000)["order"]["refunds"] == []


def test_an_order_is_refunded_by_our_own_id_too(world: World) -> None:
    order_id = world.order("A-1", 10000)["order"]["id"]
    _refund(world, "R-1", order_ref=order_id, amount_minor=1000)
    assert [one["refund_ref"] for one in world.get("/orders/A-1")["order"]["refunds"]] == ["R-1"]


def test_refunds_of_one_order_at_once_take_no_more_than_there_is(world: World) -> None:
    world.order("A-1", 10000)

    def send(number: int) -> Callable[[], Any]:
        path = f"/orders/A-1/refunds/R-{number}"
        return lambda: world.call("PUT", path, {"refunded_at": AT, "amount_minor": 3000})

    responses = at_once([send(number) for number in range(6)])
    assert sorted(one.status_code for one in responses) == [201, 201, 201, 409, 409, 409]
    assert world.balance() == 10
    assert_sound(world)


@pytest.mark.parametrize("member_ref", ["mina", None])
def test_an_order_and_its_refunds_at_once_end_the_same(
    world: World, member_ref: str | None
) -> None:
    for number in range(40):
        ref = f"A-{number}"

        def send(path: str, body: Any) -> Callable[[], Any]:
            return lambda: world.call("PUT", path, body)

        told = order(6000, 4000, member_ref=member_ref)
        works = [send(f"/orders/{ref}", told)] * 2 + [
            send(f"/orders/{ref}/refunds/R-{index}", {"refunded_at": AT, "amount_minor": 1000})
            for index in range(3)
        ]
        responses = at_once(works[number % 5 :] + works[: number % 5])
        assert {one.status_code for one in responses} <= {200, 201, 202}
        found = world.get(f"/orders/{ref}")["order"]
        assert (found["net_minor"], len(found["refunds"])) == (7000, 3)
        assert not any(one["is_parked"] for one in found["refunds"])
    assert world.balance() == (40 * 70 if member_ref else 0)
    assert_sound(world)


def test_an_order_has_only_so_many_refunds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refunds.REFUNDS_MAX == 200
    monkeypatch.setattr(refunds, "REFUNDS_MAX", 3)
    for order_ref, new, again in (("A-1", 201, 200), ("parked", 202, 202)):
        if new == 201:
            world.order("A-1", 10000)
        for number in range(3):
            _refund(world, f"R-{number}", order_ref=order_ref, status=new, amount_minor=100)
        refused = _refund(world, "R-9", order_ref=order_ref, status=409, amount_minor=100)
        assert (refused["code"], refused["state"]) == ("state_conflict", "full")
        # Those that there are can be told otherwise.
        _refund(world, "R-2", order_ref=order_ref, status=again, amount_minor=200)
    assert world.get("/orders/A-1")["order"]["refunded_minor"] == 400
