"""What surprises are asked by and shown as: members' facts at every trigger, repeats, what is left
of the erased, reports that keep their names apart. Numbers worked out by hand."""

from typing import Any

import pytest

from analytics.backtests import measuring
from analytics.backtests.measuring import Period
from core import clock, db, ids
from rewards.luck import epochs, merkle
from storefront.fairness import closing
from tests.contract.checking import problem
from tests.luck.drawing import draw, owner
from tests.scenarios.attributing import offer
from tests.scenarios.befriending import buy, friend
from tests.scenarios.tier_shop import TIERS
from tests.surprises.playing import Make, gift, go_to, receipts, sound, when, won
from tests.world import BASE_RULE, World, order, rule

STAMP = rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1})
AT = {"placed_at": "2026-03-02T10:00:00Z"}


def by_orders(key: str, op: str, number: int) -> dict[str, Any]:
    return {"key": key} | when("member.order_count", op, number)


def within(segment: str) -> dict[str, Any]:
    return when("member.segments", "contains", segment)


@pytest.mark.parametrize("is_batch", [False, True])
def test_every_trigger_is_asked_by_how_a_member_stands(make_world: Make, is_batch: bool) -> None:
    entered = {"trigger": "tier_entered", **when("member.order_count", "=", 2)}
    world: World = make_world(
        tiers=TIERS | {"levels": [{"key": "silver", "enter_at": 50_000}]},
        cards=[{"key": "coffee", "stamps": 2, "effects": [], "repeats": True}],
        earning={
            "rules": [BASE_RULE, STAMP, rule("two", {"do": "add_points", "points": 5}, **entered)]
        },
        referral_offers=[offer(hold="P14D")],
        segments=[
            by_orders("new", "=", 0),
            by_orders("once", "=", 1),
            by_orders("repeat", ">=", 2),
        ],
        surprises=[
            gift("hello", 3, trigger="signup", **within("new")),
            gift("not_hello", 1000, trigger="signup", **when("member.spend_minor", ">", 0)),
            gift("up", 19, trigger="tier_entered", **within("repeat")),
            gift("not_up", 1000, trigger="tier_entered", **within("once")),
            gift("full", 23, trigger="card_completed", **within("once")),
            gift("not_full", 1000, trigger="card_completed", **within("repeat")),
            gift("bravo", 29, trigger="referral_qualified", **within("repeat")),
            gift("not_bravo", 1000, trigger="referral_qualified", **within("new")),
        ],
    )
    world.set_clock("2026-03-02T10:00:00Z")
    assert won(world.member()) == ["hello"]
    # Told again it answers the same, whatever else is news; it came once.
    assert won(world.member(locale="ko")) == ["hello"]
    assert world.balance() == 3
    bodies = [order(minor, **AT) for minor in (30_000, 20_000)]
    if is_batch:
        named = [body | {"order_ref": f"A-{n}"} for n, body in enumerate(bodies)]
        answers = world.post("/orders/batch", {"orders": named})["results"]
    else:
        answers = [world.put("/orders/A-0", bodies[0])]
        # What a level brings is quoted as it is given, by the same facts.
        assert "5" in str(world.quote(20_000, at=AT["placed_at"])["tier"])
        answers.append(world.put("/orders/A-1", bodies[1]))
    # The second makes her silver, who has two orders then; before it she had one, when it filled
    # the card.
    assert won(answers[0]) == []
    assert sorted(won(answers[1])) == ["full", "up"]
    assert world.balance() == 3 + 300 + 200 + 5 + 19 + 23
    world.order("A-1", 20_000, **AT, status="cancelled", revision=2)
    assert world.balance() == 3 + 300
    assert sorted(won(world.order("A-1", 20_000, **AT, revision=3))) == ["full", "up"]
    assert world.balance() == 3 + 300 + 200 + 5 + 19 + 23
    # Ines is silver by one order, and her advocate has two.
    assert won(friend(world, "ines")) == ["hello"]
    assert won(buy(world, "F-1", 60_000, placed_at=AT["placed_at"])) == ["not_up"]
    go_to(world, "2026-03-16T10:00:00Z")
    assert world.balance() == 3 + 300 + 200 + 5 + 19 + 23 + 500 + 29
    sound(world)


def test_what_prizes_gave_is_told_apart_from_rules_of_the_same_name(make_world: Make) -> None:
    world: World = make_world(
        tiers={"levels": [{"key": "gold", "enter_at": 1000, "multiplier_bp": 20_000}]},
        surprises=[gift("tier", 7), gift("base", 11)],
    )
    # The clock begins before the real day on which the program was made: its anchor does as well.
    go_to(world, "2026-03-02T10:00:00Z")
    [chain] = world.get("/fairness/epochs")["chains"]
    assert chain["published_at"] == "2026-03-02T10:00:00Z"
    world.member()
    world.order("A-1", 1000, **AT)
    world.order("A-2", 1000, **AT)
    period = Period(0, clock.parse_instant("2026-04-01T00:00:00Z"))
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    with world.app.app_context():
        found = db.reading(lambda connection: measuring.measure(connection, program_id, period))
    given = {key: one.points.total() for key, one in found.rules.items()}
    # The second order counts twice: ten points more by the level.
    assert given == {"base": 20, "tier": 10}
    assert found.rules["base"].awards == 2
    prizes = {key: (one.winners, one.points.total()) for key, one in found.surprises.items()}
    assert prizes == {"tier": (2, 14), "base": (2, 22)}
    assert world.balance() == 20 + 10 + 14 + 22
    go_to(world, "2026-03-05T00:00:00Z")
    [chain] = world.get("/fairness/epochs")["chains"]
    assert chain["published_at"] == "2026-03-02T10:00:00Z"
    # The report knows what there is, and what there was.
    refused = world.call("GET", "/reports/surprises?surprise=nope")
    assert problem(refused, 422, "validation_failed")["errors"][0]["pointer"] == "?surprise"
    world.publish(surprises=[gift("tier", 7)])
    for key in ("tier", "base"):
        [one] = world.get(f"/reports/surprises?surprise={key}")["surprises"]
        assert (one["surprise"], one["won"]) == (key, 2)


def test_of_the_erased_a_draw_shows_what_proves_it(make_world: Make) -> None:
    world: World = make_world(surprises=[gift("luck", 7)])
    world.set_clock("2026-03-02T10:00:00Z")
    world.member()
    [told] = world.order("A-1", 1000, **AT)["surprises"]
    shown = world.get(f"/draws/{told['draw_id']}")
    assert (shown["is_sealed"], shown["won"], shown["source"]["ref"]) == (False, True, "A-1")
    assert world.call("DELETE", "/members/mina").status_code == 200
    sealed = {"id", "rule", "number", "body_hash", "leaf", "proof", "epoch", "is_sealed"}
    after = world.get(f"/draws/{told['draw_id']}")
    assert after.keys() == sealed
    assert after == {name: shown[name] for name in sealed} | {"is_sealed": True}
    [row] = receipts(world)
    assert (row["roll"], row["losses"], bool(row["won"]), row["cost"]) == (None, 0, True, 7)
    go_to(world, "2026-03-03T00:00:00Z")
    after = world.get(f"/draws/{told['draw_id']}")
    assert (after.keys(), after["number"]) == (sealed, 1)
    assert after["proof"]["root"] == after["leaf"]
    answer = world.app.test_cli_runner().invoke(
        args=["draws", "verify", "--program", world.program_id]
    )
    assert answer.exit_code == 0, answer.output
    sound(world)


def test_a_day_with_many_receipts_is_closed_in_several_units(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "UNIT", merkle.BLOCK)
    world: World = make_world()
    world.set_clock("2026-03-02T10:00:00Z")
    world.member()
    draw(world, *(f"A-{number}" for number in range(300)))
    rows = draw(world, *(f"B-{number}" for number in range(212)), surprise_key="apple")
    late = "2026-03-02T23:59:59Z"
    world.set_clock("2026-03-03T00:00:00Z")
    program_id = owner(world)
    with world.app.app_context():
        # Cut off behind the first of three units.
        assert db.in_transaction(lambda one: closing._close_next(one, program_id)) is False
    [epoch] = world.get("/fairness/epochs")["data"]
    assert (epoch["state"], epoch["seed"], epoch["receipts"]) == ("open", None, None)
    first = ids.show_id("drw", min(row["id"] for row in rows))
    shown = world.get(f"/draws/{first}")
    assert (shown["number"], shown["proof"]) == (None, None)
    assert world.call("GET", "/fairness/epochs/1/receipts").status_code == 409
    with world.app.app_context():
        # Nothing comes into it any more, not even what was held up since before midnight.
        opened = db.in_transaction(
            lambda one: epochs.open_now(one, program_id, clock.parse_instant(late))
        )
        assert (opened.number, opened.day) == (2, 20_514)
        # 512 are two whole units; the third finds nothing left. The other one is empty.
        assert closing.settle_due(program_id) == 2
    empty, epoch = world.get("/fairness/epochs")["data"]
    assert (empty["receipts"], epoch["receipts"]) == (0, 512)
    assert epoch["rules"] == [
        {"rule": "apple", "first": 1, "last": 212},
        {"rule": "luck", "first": 1, "last": 300},
    ]
    shown = world.get(f"/draws/{first}")
    path = [bytes.fromhex(one) for one in shown["proof"]["path"]]
    root = merkle.root_of_proof(
        bytes.fromhex(shown["leaf"]), shown["proof"]["place"], shown["proof"]["count"], path=path
    )
    assert root is not None and root.hex() == epoch["root"] == shown["proof"]["root"]
    answer = world.app.test_cli_runner().invoke(
        args=["draws", "verify", "--program", world.program_id]
    )
    assert answer.exit_code == 0, answer.output
