"""What members see of surprises: what they won, in their language, once; and nothing behind it."""

import json
from collections.abc import Callable
from typing import Any

from tests.widget.browsing import ask, mine, public, token, told
from tests.world import BASE_RULE, World

MakeWorld = Callable[..., World]
NOTE = {
    "en": "{{member.name}}, {{points}} points for you!",
    "ko": "{{member.name}}님, {{points}}점을 드려요!",
}
NAME = {"en": "Lucky day", "ko": "럭키데이"}
#: Numbers that stand nowhere else.
CHANCE, BUDGET, WEIGHT, COST = 987_654, 765_432, 54_321, 43_210


def lucky(key: str = "luck", count: int = 7, **more: Any) -> dict[str, Any]:
    """One that always gives some points, changed where a test says so."""
    effects = [{"do": "add_points", "points": count}]
    return {"key": key, "prizes": [{"effects": effects, "note": NOTE}]} | more


def see(world: World, surprise_id: str, *, ref: str = "mina", status: int = 200) -> Any:
    """A member says that they saw one."""
    path = f"/me/surprises/{surprise_id}/seen"
    return told(ask(world, "POST", path, {}, credential=token(world, ref)), status)


def test_a_surprise_is_told_until_it_was_seen(make_world: MakeWorld) -> None:
    world = make_world(locales=["ko", "en"], surprises=[lucky(name=NAME)])
    world.set_clock("2026-03-02T10:00:00Z")
    world.member("mina", name="Mina", locale="ko")
    world.member("jun", locale="en-GB")
    world.order("A-1", 1000)
    world.order("B-1", 1000, member_ref="jun")
    [unseen] = mine(world)["surprises"]
    assert unseen == {
        "id": unseen["id"],
        "name": "럭키데이",
        "note": "Mina님, 7점을 드려요!",
        "points": [
            {
                "name": "points",
                "points_key": "points",
                "points": 7,
                "state": "available",
                "available_at": "2026-03-01T10:00:00Z",
                "expires_at": None,
            }
        ],
        "rewards": [],
        "cash": [],
        "source": {"type": "order", "ref": "A-1"},
        "won_at": "2026-03-01T10:00:00Z",
        "is_seen": False,
    }
    assert mine(world, "/surprises")["data"] == [unseen]
    # In the member's own language, with a neutral word for a name.
    [of_jun] = mine(world, member_ref="jun")["surprises"]
    assert (of_jun["name"], of_jun["note"]) == ("Lucky day", "dear member, 7 points for you!")
    # Somebody else's is none, nor is what never was.
    assert see(world, of_jun["id"], status=404)["code"] == "not_found"
    assert see(world, "drw_nothing", status=404)["code"] == "not_found"
    assert mine(world, member_ref="jun")["surprises"] == [of_jun]
    # Seen once, and the first time stays.
    seen = {"id": unseen["id"], "is_seen": True, "seen_at": "2026-03-02T10:00:00Z"}
    assert see(world, unseen["id"]) == {"surprise": seen}
    world.set_clock("2026-03-03T10:00:00Z")
    assert see(world, unseen["id"]) == {"surprise": seen}
    assert mine(world)["surprises"] == []
    assert mine(world, "/surprises")["data"] == [unseen | {"is_seen": True}]
    [at_shop] = world.get("/members/mina/surprises")["data"]
    assert at_shop["seen_at"] == "2026-03-02T10:00:00Z"
    entry = mine(world, "/entries")["data"][0]
    assert (entry["source"]["ref"], entry["summary"]) == (
        unseen["id"],
        "깜짝 선물: 럭키데이로 7포인트 적립",
    )
    # What falls is no surprise any more; what stands again was seen.
    world.order("A-1", 1000, status="cancelled", revision=2)
    assert mine(world, "/surprises")["data"] == []
    see(world, unseen["id"], status=404)
    world.order("A-1", 1000, revision=3)
    [again] = mine(world, "/surprises")["data"]
    assert (again["id"], again["is_seen"]) == (unseen["id"], True)
    [held] = mine(world, "/export")["surprises"]
    assert (held["id"], held["state"], held["seen_at"]) == (
        *(unseen["id"], "won"),
        "2026-03-02T10:00:00Z",
    )


def test_nothing_behind_surprises_reaches_a_browser(make_world: MakeWorld) -> None:
    budget = {"unit": "points", "total": BUDGET}
    gift = {"do": "grant_reward", "reward": "card"}
    prizes = [
        {"effects": [gift], "weight": WEIGHT, "estimated_cost_minor": COST},
        {"effects": [gift], "weight": WEIGHT},
    ]
    world = make_world(
        rewards=[{"key": "card", "kind": "gift_card", "value": {"minor": 1000}}],
        holdout_bp=0,
        surprises=[
            lucky("secret-heldout", holdout_bp=10_000, name={"en": "Held out"}),
            lucky("secret-shadow", state="shadow", name={"en": "Shadow"}),
            lucky("secret-paused", state="paused", name={"en": "Paused"}),
            lucky("secret-poor", budget={"total": 6}, name={"en": "Poor"}),
            lucky("secret-lost", probability_ppm=0, name={"en": "Lost"}),
            # The key of a rule: what everybody may see is the rule.
            lucky("base", 31_337, trigger="signup"),
            lucky("secret-won", probability_ppm=CHANCE, pity_after=1, prizes=prizes, budget=budget),
        ],
    )
    world.member()
    for number in range(1, 4):
        world.order(f"A-{number}", 1000)
    [way] = public(world)["ways_to_earn"]
    assert (way["key"], way["summary"]) == (BASE_RULE["key"], "1 point for every €1.00 spent")
    won = mine(world, "/surprises")["data"]
    # The rest is luck: one of two in a row at least is won; and one came with signing up.
    assert len(won) in (2, 3, 4)
    assert {one["name"] for one in won} == {None}
    [card] = won[0]["rewards"]
    assert card["voucher"]["code"] in [one["code"] for one in mine(world, "/vouchers")["data"]]
    secrets = ["Held out", "Shadow", "Paused", "Poor", "Lost", "secret"]
    secrets += map(str, (CHANCE, BUDGET, WEIGHT, COST))
    paths = ("", "/surprises", "/entries", "/rewards", "/vouchers", "/export")
    answers = [public(world), *(mine(world, path) for path in paths), see(world, won[0]["id"])]
    for answer in answers:
        text = json.dumps(answer, ensure_ascii=False)
        assert [one for one in secrets if one in text] == []
        for word in ("holdout", "shadow", "budget", "probability", "weight", '"roll', "guard"):
            assert word not in text, word
    # Neither a key of the shop's nor one for everybody opens a member's own.
    for credential in (world.key, world.publishable_key):
        response = ask(world, "GET", "/me/surprises", credential=credential)
        assert response.status_code == 403
