"""Prizes that stamp cards, and receipts of an order that both of two merged members drew for: what
is won follows what stands, once."""

from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from storefront.cards import COMPLETIONS
from tests.surprises.playing import Make, gift, receipts, sound, when, won
from tests.world import World, document, rule

NO_EARNING: dict[str, Any] = {"rules": []}
APP = {"fact": "order.channel", "op": "=", "value": "app"}


def card(key: str = "coffee", *effects: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "stamps": 3, "repeats": True, "effects": list(effects)} | more


def stamps(count: int, key: str = "coffee") -> dict[str, Any]:
    return {"do": "add_stamps", "card": key, "stamps": count}


def of_cards(key: str, *effects: Any, **more: Any) -> dict[str, Any]:
    prizes = [{"effects": [*effects, {"do": "add_points", "points": 11}]}]
    return {"key": key, "trigger": "card_completed", "prizes": prizes} | more


def _run(statement: sa.Update, connection: sa.Connection) -> None:
    connection.execute(statement)


def cycles(world: World, **changes: Any) -> list[str]:
    """Where a document is refused."""
    answer = world.call("PUT", "/program/draft", document(**changes))
    if answer.status_code == 200:
        return []
    assert answer.status_code == 422
    return [one["pointer"] for one in answer.json["errors"]]


def test_no_prize_of_a_card_stamps_that_card(make_world: Make) -> None:
    world = make_world()
    two = [card(), card("tea")]
    onto_tea = of_cards("x", stamps(3, "tea"), **when("card.key", "=", "coffee"))
    onto_coffee = of_cards("y", stamps(3), **when("card.key", "=", "tea"), state="paused")
    assert cycles(world, cards=[card()], surprises=[of_cards("x", stamps(3))]) == ["/cards/0"]
    # Over another one: by another surprise, even one that sleeps; and by what the card itself does.
    both = cycles(world, cards=two, surprises=[onto_tea, onto_coffee])
    assert both == ["/cards/0", "/cards/1"]
    mixed = [card(), card("tea", stamps(1))]
    assert cycles(world, cards=mixed, surprises=[onto_tea]) == ["/cards/0", "/cards/1"]
    # One way is none; nor is what an order brings.
    assert cycles(world, cards=two, surprises=[onto_tea]) == []
    order = {"key": "o", "prizes": [{"effects": [stamps(3)]}]}
    assert cycles(world, cards=two, surprises=[order, onto_tea]) == []


def test_a_prize_of_one_card_goes_with_it_however_often(make_world: Make) -> None:
    """Coffee gives three stamps of tea and 11 points; tea, filled by the prize, brings 50 by
    contract and no surprise of its own, however often it is driven."""
    world = make_world(
        cards=[card(), card("tea", {"do": "add_points", "points": 50})],
        earning={"rules": [rule("s", stamps(3)), rule("t", stamps(3, "tea"), when=APP)]},
        surprises=[
            of_cards("x", stamps(3, "tea"), **when("card.key", "=", "coffee")),
            gift("full", 7, trigger="card_completed", **when("card.key", "=", "tea")),
        ],
    )
    world.member()
    found = [(won(world.order("A", 1000)), world.balance())]
    for revision in range(2, 6):
        status = "cancelled" if revision % 2 == 0 else "paid"
        world.order("A", 1000, status=status, revision=revision)
        found.append(([], world.balance()))
    assert found == [(["x"], 61), ([], 0), ([], 61), ([], 0), ([], 61)]
    # An order's own tea: a second tea card by right (50 + 7) and a second coffee (11 + 50).
    world.order("B", 1000, channel="app")
    sound(world)
    assert world.balance() == 61 + 57 + 61
    for ref in ("A", "B"):
        world.order(ref, 1000, status="cancelled", revision=9, channel="app")
    assert world.balance() == 0
    sound(world)


def test_a_completion_that_a_prize_changes_is_followed(make_world: Make) -> None:
    """A's prize gives 2 stamps, B's rule 2: four of three. 100 by contract, 11 by surprise."""
    world = make_world(
        cards=[card("coffee", {"do": "add_points", "points": 100})],
        earning={"rules": [rule("s", stamps(2), when={"not": APP})]},
        surprises=[
            {"key": "st", "when": APP, "prizes": [{"effects": [stamps(2)]}]},
            gift("full", 11, trigger="card_completed"),
        ],
    )
    world.member()

    def tell(ref: str, revision: int, **more: Any) -> int:
        channel = "app" if ref == "A" else "web"
        world.order(ref, 1000, channel=channel, revision=revision, **more)
        sound(world)
        return world.balance()

    assert [tell("A", 1), tell("B", 1)] == [0, 111]
    assert tell("A", 2, status="cancelled") == 0
    assert tell("A", 3) == 111
    assert tell("B", 2, status="cancelled") == 0
    assert tell("A", 4, status="cancelled") == 0
    assert [tell("B", 3), tell("A", 5)] == [0, 111]
    # The proof finds a prize whose completion does not stand, and one that fell though it does.
    own = COMPLETIONS.c.program_id == ids.read_id("prg", world.program_id)
    for is_standing, told in ((True, "card does not stand"), (False, "card stands")):
        if not is_standing:
            assert tell("A", 6, status="cancelled") == 0
        for stands in (not is_standing, is_standing):
            changed = sa.update(COMPLETIONS).where(own).values(stands=stands)
            with world.app.app_context():
                db.in_transaction(partial(_run, changed))
            found = [one for one in world.verify()["mismatches"] if one.startswith("draws ")]
            assert any(told in one for one in found) is (stands is not is_standing), found
    sound(world)


def test_a_completion_that_a_prize_made_is_no_chance_later(make_world: Make) -> None:
    """B's rule 2 stamps, then A's prize 2: the prize completes. Driven again by the rule it is the
    same completion: no surprise."""
    world = make_world(
        cards=[card()],
        earning={"rules": [rule("s", stamps(2), when={"not": APP})]},
        surprises=[
            {"key": "st", "when": APP, "prizes": [{"effects": [stamps(2)]}]},
            gift("full", 11, trigger="card_completed"),
        ],
    )
    world.member()
    world.order("B", 1000, channel="web")
    assert won(world.order("A", 1000, channel="app")) == ["st"]
    world.order("B", 1000, channel="web", status="cancelled", revision=2)
    world.order("B", 1000, channel="web", revision=3)
    assert (world.balance(), receipts(world, "full")) == (0, [])
    sound(world)


def draws_of(world: World) -> list[tuple[bool, str | None]]:
    return sorted((bool(row["stands"]), row["why_fallen"]) for row in receipts(world))


@pytest.mark.parametrize(("old", "into"), [("mina", "jun"), ("jun", "mina")])
def test_an_order_both_drew_for_is_paid_once(make_world: Make, old: str, into: str) -> None:
    """Jun drew first, then the order was Mina's: 7, whoever is merged into whom."""
    world = make_world(
        earning=NO_EARNING,
        surprises=[gift("luck", 7, limits=[{"per": "member", "period": "ever", "times": 1}])],
    )
    for ref in ("mina", "jun", "zoe"):
        world.member(ref)
    world.order("O", 1000, member_ref="jun")
    world.order("O", 1000, revision=2)
    assert (world.balance("mina"), world.balance("jun")) == (7, 0)
    world.post(f"/members/{old}/merge", {"into_member_ref": into})
    sound(world)
    assert (world.balance(into), draws_of(world)) == (7, [(False, "not_paid"), (True, None)])
    found = []
    for revision, status in enumerate(("paid", "cancelled", "paid", "cancelled", "paid"), start=3):
        world.order("O", 1000, status=status, revision=revision)
        found.append(world.balance(into))
        sound(world)
    assert found == [7, 0, 7, 0, 7]
    # Once a member: a further order is no further win.
    assert won(world.order("P", 1000, member_ref=into)) == []
    world.order("O", 1000, member_ref="zoe", revision=9)
    assert (world.balance(into), world.balance("zoe")) == (0, 7)
    world.order("O", 1000, member_ref=old, revision=10)
    assert (world.balance(into), world.balance("zoe")) == (7, 0)
    sound(world)
    # Both ends of three that drew for it, and it is with neither of the two.
    world.order("O", 1000, member_ref="zoe", revision=11)
    world.post(f"/members/{into}/merge", {"into_member_ref": "zoe"})
    sound(world)
    world.order("O", 1000, member_ref="zoe", revision=12)
    assert world.balance("zoe") == 7
    world.order("O", 1000, member_ref=old, status="cancelled", revision=13)
    assert world.balance("zoe") == 0
    sound(world)


@pytest.mark.parametrize("old", ["mina", "jun"])
def test_what_fell_is_the_owners_after_a_merge(make_world: Make, old: str) -> None:
    """Cancelled before the merge: the order was Mina's, whose draw it stays; her limit was used, so
    that she lost it. Nothing of Jun's comes back with her order."""
    into = "jun" if old == "mina" else "mina"
    limits = [{"per": "member", "period": "ever", "times": 1}]
    world = make_world(earning=NO_EARNING, surprises=[gift("luck", 7, limits=limits)])
    world.member("mina")
    world.member("jun")
    world.order("O", 1000, member_ref="jun")
    world.order("M", 1000)
    world.order("O", 1000, revision=2)
    assert (world.balance("mina"), world.balance("jun")) == (7, 0)
    world.order("O", 1000, status="cancelled", revision=3)
    world.post(f"/members/{old}/merge", {"into_member_ref": into})
    sound(world)
    world.order("O", 1000, revision=4)
    assert world.balance(into) == 7
    sound(world)
    world.order("M", 1000, status="cancelled", revision=2)
    world.order("O", 1000, revision=5)
    assert world.balance(into) == 0
    sound(world)


@pytest.mark.parametrize("old", ["mina", "jun"])
def test_a_gift_that_was_used_counts_for_both(make_world: Make, old: str) -> None:
    """Jun used the voucher, then the order was Mina's, who won one too. As one person they had two
    of three: a third is won, a fourth is not."""
    into = "jun" if old == "mina" else "mina"
    reward = {"key": "off", "cost_points": None, "kind": "discount_amount", "value": {"minor": 500}}
    prize = {"effects": [{"do": "grant_reward", "reward": "off"}]}
    limits = [{"per": "member", "period": "ever", "times": 3}]
    world = make_world(
        earning=NO_EARNING,
        rewards=[reward | {"voucher": {"pattern": "W-########"}}],
        surprises=[{"key": "luck", "prizes": [prize], "limits": limits}],
    )
    world.member("mina")
    world.member("jun")
    [grant] = world.order("O", 1000, member_ref="jun")["surprises"][0]["grants"]
    code = grant["voucher"]["code"]
    world.post(f"/vouchers/{code}/redeem", {"order_ref": "U"}, status=201)
    assert won(world.order("O", 1000, revision=2)) == ["luck"]
    sound(world)
    world.post(f"/members/{old}/merge", {"into_member_ref": into})
    sound(world)
    assert [won(world.order(ref, 1000, member_ref=into)) for ref in ("P", "Q")] == [["luck"], []]
    sound(world)
