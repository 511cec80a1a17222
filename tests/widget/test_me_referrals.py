"""A member's own links and whom they brought; the offers that everybody may see."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core import db, ids
from referrals.carried import REFERRALS
from tests.contract.checking import problem
from tests.widget.browsing import ask, mine, public, token, told
from tests.world import BASE_RULE, World, rule

MakeWorld = Callable[..., World]

CUP = {
    "key": "cup",
    "name": {"en": "A cup", "ko": "컵"},
    "kind": "free_product",
    "value": {"sku": "CUP"},
    "estimated_cost_minor": 4321,
}
GIFT = [{"do": "add_points", "points": 1}]
FRIENDS: dict[str, Any] = {
    "key": "friends",
    "name": {"en": "Bring a friend", "ko": "친구 초대"},
    "description": {"en": "Both of you get something."},
    "qualifies": {"trigger": "signup"},
    "advocate": [
        {"do": "add_points", "points": 500},
        {"do": "grant_reward", "reward": "cup"},
        {"do": "payable", "minor": 300},
    ],
    "friend": [{"do": "add_points", "points": 200}],
    "milestones": [{"at": 2, "effects": [{"do": "add_points", "points": 1000}]}],
    "caps": [{"times": 8765}],
    "budget": {"total": 9876543},
    "review": {"review_at_bp": 6543},
    "landing_url": "https://bloom.example/hello",
}
BUYERS: dict[str, Any] = {
    "key": "buyers",
    "advocate": [
        {"do": "points_per_amount", "points": 1, "per_minor": 100},
        {"do": "points_per_unit", "points": 3},
    ],
    "friend": [{"do": "grant_reward", "reward": "cup"}],
    "qualifies": {"min_net_minor": 5000},
    "schedule": {"starts_at": "2026-03-01T10:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
    "milestones": [{"at": 5, "effects": [{"do": "add_points", "points": 50}], "repeats": True}],
}


def play(make_world: MakeWorld, *offers: dict[str, Any], **changes: Any) -> World:
    """A program with offers, on 1 March 2026 at 19:00 in Seoul, with Mina."""
    sections = {"rewards": [CUP], "locales": ["en", "ko"]} | changes
    world = make_world(referral_offers=list(offers) or [FRIENDS], **sections)
    world.set_clock("2026-03-01T10:00:00Z")
    world.member("mina")
    return world


def share(world: World, body: Any, *, status: int = 200) -> Any:
    return told(ask(world, "POST", "/me/links", body, credential=token(world)), status)


def sign_up(world: World, *friends: str, code: str) -> list[str]:
    """Friends sign up by a code; the ids of their referrals."""
    found = []
    for ref in friends:
        body = {"email": f"{ref}@example.org", "referral": {"code": code}}
        found.append(world.put(f"/members/{ref}", body, status=201)["referral"]["id"])
    return found


def set_to(world: World, referral_id: str, **values: Any) -> None:
    """Let a referral be as it would be later."""
    row = REFERRALS.c.id == ids.read_id("ref", referral_id)
    with world.app.app_context():
        statement = sa.update(REFERRALS).where(row).values(**values)
        db.in_transaction(lambda connection: connection.execute(statement))


def test_a_member_shares_and_sees_what_friends_brought(make_world: MakeWorld) -> None:
    stamped = FRIENDS["advocate"] + [{"do": "add_stamps", "card": "pass", "stamps": 2}]
    card = {"key": "pass", "name": {"en": "Friends' pass"}, "stamps": 10, "effects": GIFT}
    world = play(make_world, FRIENDS | {"advocate": stamped}, cards=[card])
    made = share(world, {"channel": "kakao"}, status=201)
    assert share(world, {"offer": "friends", "channel": "kakao"}) == made
    # The shop's server sees the same link.
    assert [one["code"] for one in world.get("/members/mina/links")["data"]] == [made["code"]]
    [listed] = mine(world, "/links")["data"]
    assert listed == made | {
        "url": made["url"].removesuffix("?ch=kakao"),
        "share": made["share"] | {"text": listed["share"]["text"]},
        "is_open": True,
        "counts": [{"channel": "kakao", "shared": 2, "clicked": 0}],
    }
    empty = mine(world, "/referrals")
    assert empty["counts"] == dict.fromkeys(empty["counts"], 0) and empty["data"] == []
    assert empty["next_milestone"] == {"offer": "friends", "at": 2, "missing": 2}
    first, second = sign_up(world, "ines-long", "omar", code=made["code"].lower())
    seen = mine(world, "/referrals")
    assert seen["counts"] == dict.fromkeys(seen["counts"], 0) | {"approved": 2}
    assert seen["rewarded"] == 2
    # Twice 500, the milestone's 1,000, twice two stamps, a cup and 3.00 in cash.
    assert seen["rewards"] == [
        {"kind": "points", "points_key": "points", "points": 2000, "name": "points"},
        {"kind": "stamps", "card": "pass", "stamps": 4, "name": "Friends' pass"},
        {"kind": "grant", "reward": "cup", "count": 2, "name": "A cup"},
        {"kind": "payable", "currency": "EUR", "minor": 600, "name": "Cash"},
    ]
    reached = {"offer": "friends", "at": 2, "reached": True, "times": 1, "missing": 0}
    assert (seen["milestones"], seen["next_milestone"]) == ([reached], None)
    names = [(one["id"], one["name"], one["state"], one["reward"]) for one in seen["data"]]
    assert names == [
        (second, "Friend 2", "approved", "rewarded"),
        (first, "Friend 1", "approved", "rewarded"),
    ]
    page = mine(world, "/referrals?limit=1")
    page = mine(world, f"/referrals?limit=1&cursor={page['next_cursor']}")
    assert [one["name"] for one in page["data"]] == ["Friend 1"] and page["next_cursor"] is None
    # What the server sees tells friends apart by the ends of their references.
    whole = world.get("/members/mina/referrals")
    assert [one["friend"] for one in whole["data"]] == ["o…", "in…ng"]
    assert whole["counts"]["approved"] == 2 and whole["rewarded"] == 2
    assert [one["side"] for one in whole["data"]] == [{"state": "rewarded", "reason": None}] * 2
    assert whole["rewards"] == [
        {name: value for name, value in one.items() if name != "name"} for one in seen["rewards"]
    ]
    # Who brought a friend, the server sees alone.
    brought_by = {"id": second, "state": "approved", "offer": "friends", "advocate": "m…"}
    assert world.get("/members/omar/referrals")["brought_by"] == brought_by
    assert whole["brought_by"] is None
    assert "brought_by" not in mine(world, "/referrals", "omar")
    # Friends see nothing of it, and nobody's references stand in anything a browser gets.
    assert mine(world, "/referrals", "omar")["data"] == []
    text = str([seen, mine(world, "/links"), mine(world, "/referrals", "omar")])
    for secret in ("ines", "omar", "@", "8765", "9876543", "6543", "4321"):
        assert secret not in text, secret
    world.put("/members/mina", {"locale": "ko"})
    korean = mine(world, "/referrals")
    assert [one["name"] for one in korean["data"]] == ["친구 2", "친구 1"]
    assert korean["data"][0]["detail"] == "리워드를 받았습니다."
    assert mine(world, "/links")["data"][0]["share"]["text"].startswith("Bloom에 초대합니다!")
    assert world.call("DELETE", "/members/omar").status_code == 200
    assert [one["friend"] for one in world.get("/members/mina/referrals")["data"]] == [
        None,
        "in…ng",
    ]


def test_what_is_reviewed_or_refused_looks_like_what_is_not_there_yet(
    make_world: MakeWorld,
) -> None:
    world = play(make_world, FRIENDS | {"hold": "P7D", "milestones": []})
    code = share(world, {}, status=201)["code"]
    friends = sign_up(world, *(f"friend-{number}" for number in range(6)), code=code)
    assert {one["state"] for one in mine(world, "/referrals")["data"]} == {"on_hold"}
    nothing = {"qualified_at": None, "hold_until": None}
    set_to(world, friends[0], state="rejected", reason="SELF_REFERRAL", **nothing)
    set_to(world, friends[1], state="rejected", reason="EXISTING_CUSTOMER", **nothing)
    set_to(world, friends[2], state="in_review", reason=None)
    set_to(world, friends[3], state="in_review", reason=None, **nothing)
    set_to(world, friends[4], state="rejected", reason="ORDER_CANCELLED")
    set_to(world, friends[5], state="rejected", reason="SELF_REFERRAL")
    seen = mine(world, "/referrals")
    states = [one["state"] for one in seen["data"]][::-1]
    identified, on_hold, rejected = "identified", "on_hold", "rejected"
    assert states == [identified, identified, on_hold, identified, rejected, rejected]
    few = {identified: 3, on_hold: 1, rejected: 2}
    assert seen["counts"] == dict.fromkeys(seen["counts"], 0) | few
    assert seen["data"][3]["hold_until"] is None
    # Nothing but its number tells what was refused for fraud from what was cancelled.
    cancelled, refused = seen["data"][1], seen["data"][0]
    assert {name for name in refused if refused[name] != cancelled[name]} == {"id", "name"}
    assert "REFERRAL" not in str(seen) and "review" not in str(seen)
    whole = world.get("/members/mina/referrals")
    assert (whole["counts"]["in_review"], whole["counts"]["rejected"]) == (2, 4)
    assert whole["data"][-1]["reason"] == "SELF_REFERRAL"
    # What came to nothing has no reward that waits; what looks like it may still come does.
    rewards = [one["reward"] for one in seen["data"]][::-1]
    assert rewards == ["waiting"] * 4 + ["none"] * 2
    of_sides = [one["side"]["state"] for one in whole["data"]][::-1]
    assert of_sides == ["none", "none", "waiting", "waiting", "none", "none"]
    set_to(world, friends[5], state="expired", reason="CREDIT_WINDOW")
    assert mine(world, "/referrals")["data"][0]["reward"] == "none"


def test_only_the_member_themselves_shares_and_only_what_runs(make_world: MakeWorld) -> None:
    world = play(make_world, FRIENDS | {"state": "paused"})
    for path in ("/me/links", "/me/referrals"):
        for credential in (world.key, world.publishable_key):
            problem(ask(world, "GET", path, credential=credential), 403, "forbidden")
        for other in (f"{path}/mina", f"{path}?member_ref=jun"):
            assert ask(world, "GET", other, credential=token(world)).status_code >= 400
    answer = ask(world, "POST", "/me/links", {}, credential=token(world))
    assert problem(answer, 409, "state_conflict")["state"] == "no_offer"
    body = {"vanity": "admin"}
    world.publish(referral_offers=[FRIENDS], rewards=[CUP])
    problem(
        ask(world, "POST", "/me/links", body, credential=token(world)), 422, "validation_failed"
    )
    bad = ask(world, "POST", "/me/links", {"member_ref": "jun"}, credential=token(world))
    problem(bad, 422, "validation_failed")


def test_everybody_may_see_the_offers_that_run(make_world: MakeWorld) -> None:
    listening = rule("thanks", {"do": "add_points", "points": 7}, trigger="referral_qualified")
    world = play(
        make_world,
        FRIENDS,
        {"key": "asleep", "state": "paused"},
        BUYERS,
        earning={"rules": [BASE_RULE, listening]},
        locales=["ko", "en"],
    )
    shown = public(world, "?locale=en")
    friends, buyers = shown["offers"]
    assert friends == {
        "key": "friends",
        "name": "Bring a friend",
        "description": "Both of you get something.",
        "advocate": ["500 points", "“A cup”", "€3.00 in cash"],
        "friend": ["200 points"],
        "qualifies": "signup",
        "min_net_minor": 0,
        "milestones": [{"at": 2, "repeats": False, "brings": ["1,000 points"]}],
        "tiers": None,
        "landing_url": "https://bloom.example/hello",
    }
    assert (buyers["name"], buyers["min_net_minor"]) == ("buyers", 5000)
    assert buyers["advocate"] == [
        "1 point for every €1.00 spent by your friend",
        "3 points for each item your friend buys",
    ]
    assert (buyers["friend"], buyers["qualifies"]) == (["“A cup”"], "order")
    # The document's own rule is a way to earn; what offers bring is none.
    ways = {one["key"]: one["summary"] for one in shown["ways_to_earn"]}
    assert ways == {
        "base": "1 point for every €1.00 spent",
        "thanks": "7 points for a friend you brought",
    }
    for secret in ("8765", "9876543", "6543", "4321", "review", "cap", "budget"):
        assert secret not in str(shown), secret
    korean = public(world)["offers"]
    assert korean[1]["advocate"][0] == "친구의 구매 금액 €1.00당 1포인트"
    world.set_clock("2026-04-01T00:00:00Z")
    assert [one["key"] for one in public(world)["offers"]] == ["friends"]
