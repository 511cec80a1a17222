"""32 redeemers at once, over HTTP: nobody has anything twice, and nobody is refused for nothing.

`REDEEM_ROUNDS` says how many rounds each race has (3 without it). After each round balances, stock
and codes are exact; whoever lost was told the documented problem and nothing else.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core import clock
from tests.concurrency.parallel import assert_sound, at_once
from tests.world import World, order

ROUNDS = int(os.environ.get("REDEEM_ROUNDS", "3"))
THREADS = 32
START = datetime(2027, 3, 1, tzinfo=UTC)
MEMBERS = [f"m{number}" for number in range(8)]
CARD_MINOR = 10_000

REWARDS: list[dict[str, Any]] = [
    {"key": "mug", "kind": "custom", "cost_points": 100, "stock": 1},
    {"key": "trip", "kind": "custom", "cost_points": 400},
    {
        "key": "capped",
        "kind": "custom",
        "cost_points": 0,
        "limits": [{"per": "program", "period": "ever", "times": 100}],
    },
    {
        "key": "coupon",
        "kind": "discount_amount",
        "cost_points": 100,
        "value": {"minor": 500},
        "voucher": {},
    },
    {"key": "card", "kind": "gift_card", "cost_points": 0, "value": {"minor": CARD_MINOR}},
]

#: A status, and the problem's code where it is one.
Ending = tuple[int, str | None]
Work = Callable[[], Any]


def ending(response: Any) -> Ending:
    """How a request ended."""
    return response.status_code, None if response.status_code < 400 else response.json["code"]


def endings(responses: Sequence[Any]) -> Counter[Ending]:
    return Counter(ending(one) for one in responses)


def problems(response: Any) -> list[str]:
    """The problems beside an order, which is stored in any case."""
    assert response.status_code in (200, 201), response.get_data(as_text=True)
    return [one["code"] for one in response.json["problems"]]


@dataclass(slots=True)
class Shop:
    """A program whose clock stands still between rounds, and everything that can be sent to it."""

    world: World
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    now: datetime = START

    def post(self, path: str, body: Any) -> Work:
        """A POST to be sent later, whatever comes of it."""
        headers = {"Idempotency-Key": f"race-{next(self.numbers)}"}
        return lambda: self.world.call("POST", path, body, headers=headers)

    def hold(self, reward: str, member: str = "mina", *, minutes: int = 30) -> Work:
        body = {"member_ref": member, "reward": reward, "ttl": f"PT{minutes}M"}
        return self.post("/redemptions", body)

    def held(self, reward: str, member: str = "mina", *, minutes: int = 30) -> Any:
        """A redemption that is held now."""
        response = self.hold(reward, member, minutes=minutes)()
        assert response.status_code == 201, response.get_data(as_text=True)
        return response.json["redemption"]

    def end(self, how: str, redemption_id: str) -> Work:
        body = {"reason": "race"} if how == "reverse" else {}
        return self.post(f"/redemptions/{redemption_id}/{how}", body)

    def had(self, reward: str) -> Any:
        """A redemption that is captured now, its code ready to be used."""
        made = self.held(reward)
        assert ending(self.end("capture", made["id"])()) == (200, None)
        return made

    def tell(self, ref: str, **more: Any) -> Work:
        body = order(CARD_MINOR, placed_at=clock.format_instant(self.instant), **more)
        return lambda: self.world.call("PUT", f"/orders/{ref}", body)

    def redeem(self, code: str, ref: str, minor: int = CARD_MINOR) -> Work:
        return self.post(f"/vouchers/{code}/redeem", {"order_ref": ref, "order_minor": minor})

    def state(self, made: Any) -> str:
        return str(self.world.get(f"/redemptions/{made['id']}")["state"])

    def voucher(self, made: Any) -> Any:
        return self.world.get(f"/vouchers/{made['voucher']['code']}")

    def balances(self, member: str = "mina") -> tuple[int, int]:
        """Available and held; what orders earn is pending and not looked at."""
        [found] = self.world.get(f"/members/{member}/balances")["data"]
        return found["available"], found["held"]

    def give(self, member: str, points: int) -> None:
        body = {"member_ref": member, "points": points, "reason": "race"}
        assert self.post("/adjustments", body)().status_code == 201

    def stock_left(self) -> int:
        rewards = self.world.get("/members/mina/rewards")["data"]
        return int(next(one["stock_left"] for one in rewards if one["key"] == "mug"))

    @property
    def instant(self) -> int:
        return clock.from_datetime(self.now)

    def pass_time(self, minutes: int) -> None:
        """The clock alone: nothing that is due is written by it."""
        self.now += timedelta(minutes=minutes)
        self.world.set_clock(clock.format_instant(self.instant))


@pytest.fixture
def shop(make_world: Callable[..., World]) -> Shop:
    """Mina, and eight more; what orders earn stays pending."""
    pending = {"policy": "after", "duration": "P1Y"}
    world = make_world(points=[{"key": "points", "pending": pending}], rewards=REWARDS)
    world.set_clock(clock.format_instant(clock.from_datetime(START)))
    for ref in ["mina", *MEMBERS]:
        world.member(ref)
    return Shop(world)


def test_the_last_of_a_stock_goes_to_exactly_one(shop: Shop) -> None:
    for ref in MEMBERS:
        shop.give(ref, 100)
    for number in range(ROUNDS):
        tries = [shop.hold("mug", MEMBERS[turn % 8], minutes=10) for turn in range(THREADS)]
        answers = at_once(tries)
        [won] = [one for one in answers if one.status_code == 201]
        for turn, lost in enumerate(answers):
            if lost is not won:
                # The winner's other tries meet an empty stock and an empty account.
                is_winner = MEMBERS[turn % 8] == won.json["redemption"]["member_ref"]
                codes = {"out_of_stock", "insufficient_points"} if is_winner else {"out_of_stock"}
                assert lost.status_code == 409 and lost.json["code"] in codes, lost.json
        found = sorted(shop.balances(ref) for ref in MEMBERS)
        assert found == [(0, 100)] + [(100, 0)] * 7
        assert shop.stock_left() == 0
        if number % 2:
            shop.end("release", won.json["redemption"]["id"])()
            assert shop.stock_left() == 1
        else:
            # It times out, and nobody has written so when the next round begins.
            shop.pass_time(10)
    assert_sound(shop.world)


def test_the_last_points_are_held_once(shop: Shop) -> None:
    shop.give("mina", 500)
    for _ in range(ROUNDS):
        answers = at_once([shop.hold("trip") for _ in range(THREADS)])
        assert endings(answers) == {(201, None): 1, (409, "insufficient_points"): 31}
        lost = [one.json["available"] for one in answers if one.status_code == 409]
        assert lost == [100] * 31
        assert shop.balances() == (100, 400)
        [won] = [one.json["redemption"]["id"] for one in answers if one.status_code == 201]
        assert ending(shop.end("release", won)()) == (200, None)
        assert shop.balances() == (500, 0)
    assert_sound(shop.world)


def test_a_code_is_used_through_one_of_two_doors(shop: Shop) -> None:
    shop.give("mina", 100 * ROUNDS)
    for number in range(ROUNDS):
        made = shop.had("coupon")
        code = made["voucher"]["code"]
        works = [
            shop.redeem(code, f"T-{number}-{turn}")
            if turn % 2
            else shop.tell(f"A-{number}-{turn}", codes=[code])
            for turn in range(THREADS)
        ]
        answers = at_once(works)
        tills, orders = endings(answers[1::2]), [problems(one) for one in answers[::2]]
        won = tills.pop((201, None), 0) + orders.count([])
        assert won == 1, (tills, orders)
        assert set(tills) <= {(404, "not_found")}, tills
        assert all(one in ([], ["not_found"]) for one in orders), orders
        assert shop.voucher(made)["state"] == "redeemed"
        assert shop.balances() == (100 * (ROUNDS - number - 1), 0)
        shop.pass_time(60)
    assert_sound(shop.world)


def test_what_is_captured_by_id_while_its_code_is_used_is_had_once(shop: Shop) -> None:
    shop.give("mina", 100 * ROUNDS)
    for number in range(ROUNDS):
        made = shop.held("coupon")
        works = []
        for turn in range(THREADS // 2):
            works.append(shop.end("capture", made["id"]))
            works.append(shop.redeem(made["voucher"]["code"], f"T-{number}-{turn}"))
        answers = at_once(works)
        assert endings(answers[::2]) == {(200, None): 16}
        assert endings(answers[1::2]) == {(201, None): 1, (404, "not_found"): 15}
        assert (shop.state(made), shop.voucher(made)["state"]) == ("captured", "redeemed")
        assert shop.balances() == (100 * (ROUNDS - number - 1), 0)
        shop.pass_time(60)
    assert_sound(shop.world)


def test_what_is_released_while_its_code_is_used_ends_once(shop: Shop) -> None:
    left = 100 * ROUNDS
    shop.give("mina", left)
    for number in range(ROUNDS):
        made = shop.held("coupon")
        works = []
        for turn in range(THREADS // 2):
            works.append(shop.end("release", made["id"]))
            works.append(shop.redeem(made["voucher"]["code"], f"T-{number}-{turn}"))
        answers = at_once(works)
        released, used = endings(answers[::2]), endings(answers[1::2])
        if shop.state(made) == "released":
            assert (released, used) == ({(200, None): 16}, {(404, "not_found"): 16})
        else:
            left -= 100
            assert released == {(409, "state_conflict"): 16}
            assert used == {(201, None): 1, (404, "not_found"): 15}
        assert shop.balances() == (left, 0)
        shop.pass_time(60)
    assert_sound(shop.world)


def test_a_cap_of_100_holds_on_400_tries(shop: Shop) -> None:

    def work(thread: int) -> Work:
        # 16 threads with 13 tries, 16 with 12.
        works = [shop.hold("capped", MEMBERS[thread % 8]) for _ in range(13 - thread % 2)]
        return lambda: [one() for one in works]

    for number in range(max(1, ROUNDS // 20)):
        answers = list(itertools.chain(*at_once([work(thread) for thread in range(THREADS)])))
        assert endings(answers) == {(201, None): 100, (409, "limit_reached"): 300}, number
        won = [one.json["redemption"]["id"] for one in answers if one.status_code == 201]
        # A capture keeps its place, a release gives it back.
        assert ending(shop.end("capture", won[0])()) == (200, None)
        assert ending(shop.hold("capped")()) == (409, "limit_reached")
        works = [shop.end("reverse", won[0]), *(shop.end("release", one) for one in won[1:])]
        freed = list(itertools.chain(*(at_once(works[at : at + 25]) for at in range(0, 100, 25))))
        assert endings(freed) == {(200, None): 100}
    assert_sound(shop.world)


def test_a_card_is_drained_in_parts_to_nothing_and_filled_again(shop: Shop) -> None:
    for number in range(ROUNDS):
        made = shop.had("card")
        code = made["voucher"]["code"]
        parts = [300 + 10 * turn for turn in range(THREADS)]
        # 300 + … + 610 = 14,560, of which the card has 10,000.
        works = [
            shop.redeem(code, f"T-{number}-{turn}", part)
            if turn % 4 == 3
            else shop.tell(f"A-{number}-{turn}", **paid_by_card(code, part))
            for turn, part in enumerate(parts)
        ]
        answers = at_once(works)
        tills = answers[3::4]
        orders = [one for turn, one in enumerate(answers) if turn % 4 != 3]
        assert set(endings(tills)) <= {(201, None), (404, "not_found")}
        assert shop.voucher(made)["remaining_minor"] == 0
        # All but the one that emptied it and those after it were paid whole.
        assert sum(not problems(one) for one in orders) + endings(tills)[201, None] >= 16
        undone = [
            shop.post(f"/vouchers/{code}/release", {"order_ref": f"T-{number}-{turn}"})
            if turn % 4 == 3
            else shop.tell(f"A-{number}-{turn}", status="cancelled", **paid_by_card(code, part))
            for turn, part in enumerate(parts)
        ]
        back = at_once(undone)
        assert all(one.status_code == 200 for one in back if one not in back[3::4])
        found = shop.voucher(made)
        assert (found["remaining_minor"], found["state"]) == (CARD_MINOR, "active")
        shop.pass_time(60)
    assert_sound(shop.world)


def paid_by_card(code: str, minor: int) -> dict[str, Any]:
    """Of an order of 100.00, so much by gift card."""
    rest = {"kind": "card", "amount_minor": CARD_MINOR - minor}
    return {"payments": [{"kind": "gift_card", "amount_minor": minor, "code": code}, rest]}


def test_of_capture_release_and_expiry_one_wins(shop: Shop) -> None:
    left = 400 * ROUNDS
    shop.give("mina", left)
    for number in range(ROUNDS):
        made = shop.held("trip", minutes=1)
        shop.now += timedelta(minutes=1)
        over = {"now": clock.format_instant(shop.instant)}
        works = [shop.end(("capture", "release")[turn % 2], made["id"]) for turn in range(30)]
        at = 2 * (number % 8)
        works.insert(at, shop.post("/test-clock", over))
        answers = at_once(works)
        assert answers.pop(at).status_code == 200
        state = shop.state(made)
        captured, released = endings(answers[::2]), endings(answers[1::2])
        lost = {(409, "state_conflict"): 15}
        if state == "captured":
            assert (captured, released) == ({(200, None): 15}, lost)
            left -= 400
        elif state == "released":
            assert (captured, released) == (lost, {(200, None): 15})
        else:
            assert (state, captured, released) == ("expired", lost, lost)
        assert shop.balances() == (left, 0)
    assert_sound(shop.world)


def test_an_order_captures_or_the_storefront_releases(shop: Shop) -> None:
    left = 400 * ROUNDS
    shop.give("mina", left)
    for number in range(ROUNDS):
        made = shop.held("trip")
        tell = shop.tell(f"A-{number}", redemptions=[made["id"]])
        works = [tell if turn % 2 else shop.end("release", made["id"]) for turn in range(THREADS)]
        answers = at_once(works)
        released, told = endings(answers[::2]), [problems(one) for one in answers[1::2]]
        assert sorted(one.status_code for one in answers[1::2]) == [200] * 15 + [201]
        if shop.state(made) == "captured":
            left -= 400
            assert released == {(409, "state_conflict"): 16}
            assert told == [[]] * 16
        else:
            assert shop.state(made) == "released"
            assert released == {(200, None): 16}
            assert ["state_conflict"] in told
        assert shop.balances() == (left, 0)
    assert_sound(shop.world)


def test_a_hold_named_by_many_orders_is_captured_by_one(shop: Shop) -> None:
    left = 400 * ROUNDS
    shop.give("mina", left)
    for number in range(ROUNDS):
        made = shop.held("trip")
        named = {"redemptions": [made["id"]]}
        answers = at_once(
            [
                shop.tell(f"A-{number}-{turn}", status=("paid", "pending")[turn % 2], **named)
                for turn in range(THREADS)
            ]
        )
        told = [problems(one) for one in answers]
        assert sorted(told) == [[]] + [["state_conflict"]] * 31
        won = told.index([])
        assert shop.state(made) == ("captured", "held")[won % 2]
        kept = shop.world.get(f"/redemptions/{made['id']}")["order_ref"]
        assert kept == f"A-{number}-{won}"
        assert sum(shop.balances()) == left - (0 if won % 2 else 400)
        # Given up by the order that has it, and by no other.
        gone = at_once(
            [
                shop.tell(f"A-{number}-{turn}", status="cancelled", **named)
                for turn in range(THREADS)
            ]
        )
        assert {one.status_code for one in gone} == {200}
        assert shop.state(made) == ("reversed", "released")[won % 2]
        assert shop.balances() == (left, 0)
    assert_sound(shop.world)
