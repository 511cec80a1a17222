"""What so many friends bring their advocate besides, and what whoever brought the advocate gets."""

from typing import Any

from tests.scenarios.attributing import Make, code_of, offer, shop, sign_up
from tests.world import World

LATER = "2026-01-03T00:00:00Z"


def milestone(at: int, *effects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"at": at, "effects": list(effects)} | more


def points(count: int) -> dict[str, Any]:
    return {"do": "add_points", "points": count}


def bring(world: World, advocate: str, friend: str, **more: Any) -> Any:
    """A friend signs up by the advocate's code and buys for 1.00."""
    sign_up(world, friend, {"code": code_of(world, advocate)})
    return buy(world, friend, **more)


def buy(world: World, friend: str, **more: Any) -> Any:
    told = {"member_ref": friend, "placed_at": LATER} | more
    return world.order(f"of-{friend}", 100, **told)


def cancel(world: World, friend: str) -> Any:
    return buy(world, friend, status="cancelled", cancelled_at=LATER)


def earned_of(world: World, ref: str, source_type: str) -> int:
    """What stands of all that sources of a type brought a member."""
    signs = {"earn": 1, "restore": 1, "claw_back": -1}
    return sum(
        signs[one["kind"]] * one["points"]
        for one in world.entries(ref)
        if one["source"]["type"] == source_type and one["kind"] in signs
    )


def test_a_milestone_is_taken_back_with_its_friend_and_paid_again_with_the_next(
    make_world: Make,
) -> None:
    world = shop(make_world, offer(milestones=[milestone(3, points(10_000))]), at=LATER)
    for friend in ("ara", "bo"):
        bring(world, "mina", friend)
    # 500 for each friend.
    assert (world.balance(), earned_of(world, "mina", "referral_milestone")) == (1_000, 0)
    bring(world, "mina", "cho")
    assert world.balance() == 1_500 + 10_000
    [entry] = [one for one in world.entries() if one["source"]["type"] == "referral_milestone"]
    assert entry["summary"] == {
        "en": "10,000 points for referring 3 friends",
        "ko": "친구 3명 추천 달성으로 10,000포인트 적립",
    }
    source = entry["source"]["ref"]
    cancel(world, "cho")
    assert world.balance() == 1_000
    why = world.get(f"/members/mina/why?source=referral_milestone:{source}")
    assert why["summary"]["en"] == (
        "What referring 3 friends brought was taken back: they are fewer by now."
    )
    # Told again, nothing more happens.
    cancel(world, "cho")
    assert world.balance() == 1_000
    bring(world, "mina", "dan")
    assert world.balance() == 1_500 + 10_000
    buy(world, "cho")
    # A fourth friend, and still one milestone: net 10,000.
    assert world.balance() == 2_000 + 10_000
    assert earned_of(world, "mina", "referral_milestone") == 10_000
    why = world.get(f"/members/mina/why?source=referral_milestone:{source}")
    assert why["summary"]["en"] == "10,000 points for referring 3 friends."
    assert why["trigger"] == "referral_qualified"
    assert why["earned"] == [{"points_key": "points", "points": 20_000}]
    assert why["reversed"] == [{"points_key": "points", "points": 10_000}]
    assert world.verify()["mismatches"] == []


def test_one_that_repeats_keeps_what_it_was_promised_for_each_time(make_world: Make) -> None:
    every = milestone(2, points(100), {"do": "grant_reward", "reward": "mug"}, repeats=True)
    mug = {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": None}
    world = make_world(referral_offers=[offer(milestones=[every])], rewards=[mug])
    world.set_clock(LATER)
    world.member("mina")
    for friend in ("ara", "bo", "cho", "dan"):
        bring(world, "mina", friend)

    def stands() -> tuple[int, int]:
        grants = world.get("/grants?member_ref=mina")["data"]
        return (
            earned_of(world, "mina", "referral_milestone"),
            sum(one["state"] == "open" for one in grants),
        )

    assert stands() == (200, 2)
    # From now on it brings more; what was reached stays as it was.
    document = {"rewards": [mug]}
    more = milestone(2, points(999), repeats=True)
    world.publish(referral_offers=[offer(milestones=[more])], **document)
    bring(world, "mina", "eve")
    bring(world, "mina", "fay")
    assert stands() == (200 + 999, 2)
    cancel(world, "fay")
    assert stands() == (200, 2)
    cancel(world, "eve")
    cancel(world, "dan")
    assert stands() == (100, 1)
    # Without a milestone nothing new is reached, and what was promised comes back.
    world.publish(referral_offers=[offer()], **document)
    buy(world, "dan")
    assert stands() == (200, 2)
    buy(world, "eve")
    buy(world, "fay")
    assert stands() == (200 + 999, 2)
    bring(world, "mina", "gil")
    bring(world, "mina", "hana")
    assert stands() == (200 + 999, 2)
    assert world.verify()["mismatches"] == []


def test_who_does_not_take_part_gets_rewards_and_no_points(make_world: Make) -> None:
    both = milestone(1, points(100), {"do": "grant_reward", "reward": "mug"})
    mug = {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}, "cost_points": None}
    world = make_world(referral_offers=[offer(milestones=[both])], rewards=[mug])
    world.set_clock(LATER)
    world.member("mina", is_enrolled=False)
    bring(world, "mina", "ara")
    assert world.entries("mina") == []
    assert len(world.get("/grants?member_ref=mina")["data"]) == 1
    assert world.verify()["mismatches"] == []


def test_whoever_brought_the_advocate_gets_the_second_level_and_nobody_beyond(
    make_world: Make,
) -> None:
    world = shop(make_world, offer(second_level=[points(50)]), at=LATER)
    bring(world, "mina", "ara")
    bring(world, "ara", "bo")
    # Ara: 300 as a friend, 1 for the order, 500 for Bo; Mina: 500 for Ara, 50 for Bo.
    assert (world.balance("mina"), world.balance("ara")) == (550, 801)
    bring(world, "bo", "cho")
    assert (world.balance("mina"), world.balance("ara"), world.balance("bo")) == (550, 851, 801)
    told = [one["summary"] for one in world.entries("mina")]
    assert {one["en"] for one in told} == {
        "500 points for a friend you referred",
        "50 points for a friend whom your friend referred",
    }
    cancel(world, "bo")
    # Bo's order is gone: 300 and 1 of his own, 500 of Ara's, 50 of Mina's.
    assert (world.balance("mina"), world.balance("ara"), world.balance("bo")) == (500, 351, 500)
    buy(world, "bo")
    assert (world.balance("mina"), world.balance("ara"), world.balance("bo")) == (550, 851, 801)
    assert world.verify()["mismatches"] == []


def test_why_says_what_a_referral_waits_for_and_what_became_of_it(make_world: Make) -> None:
    caps = [{"period": "ever", "times": 1}]
    world = shop(make_world, offer(qualifies={"min_net_minor": 100}, caps=caps), at=LATER)

    def why(ref: str, answer: Any) -> dict[str, str]:
        told = world.get(f"/members/{ref}/why?source=referral:{answer['referral']['id']}")
        said: dict[str, str] = told["summary"]
        return said

    ara = sign_up(world, "ara", {"code": code_of(world, "mina")})
    assert why("mina", ara)["en"] == (
        "Nothing for a friend you referred yet: no order has qualified yet."
    )
    world.order("of-ara", 99, member_ref="ara", placed_at=LATER)
    assert why("ara", ara) == {
        "en": "Nothing for being referred by a friend yet: the order was below the minimum.",
        "ko": "친구의 추천 혜택은 아직 지급되지 않았습니다: 주문 금액이 최소 금액보다 적었습니다.",
    }
    buy(world, "ara")
    assert why("mina", ara) == {
        "en": "500 points for a friend you referred.",
        "ko": "친구 추천으로 500포인트가 적립되었습니다.",
    }
    bo = bring(world, "mina", "bo")
    assert why("mina", bo)["en"] == (
        "Nothing for a friend you referred: the limit of rewarded friends is used up."
    )
    cancel(world, "ara")
    assert why("mina", ara) == {
        "en": "What a friend you referred brought was taken back: the order was cancelled.",
        "ko": "친구 추천 혜택은 회수되었습니다: 주문이 취소되었습니다.",
    }
    # The place is free for the other one.
    assert why("mina", bo)["en"] == "500 points for a friend you referred."
    back = next(one for one in world.entries() if one["kind"] == "claw_back")
    assert back["summary"] == {
        "en": "500 points for a friend you referred taken back",
        "ko": "친구 추천 취소로 500포인트 회수",
    }
    shown = world.get(f"/entries/{back['id']}")
    assert shown["decision"]["trigger"] == "referral_qualified"
    # It is nobody else's business.
    path = f"/members/jun/why?source=referral:{bo['referral']['id']}"
    assert world.call("GET", path).status_code == 404
    statement = world.call("GET", "/members/mina/statement?format=csv").get_data(as_text=True)
    assert "500 points for a friend you referred" in statement
