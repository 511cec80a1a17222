"""A member's own account: what they have, what they may change, and in which language."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import pointers, problem
from tests.widget.browsing import ask, mine, token, told
from tests.widget.test_public import rich
from tests.world import BASE_RULE, World, rule

MakeWorld = Callable[..., World]
CONSENT = {"purpose": "marketing", "channel": "email", "is_granted": True}


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """Mina, who has 200 points and reads Korean; Jun, who has 5,000 and reads English."""
    world = make_world(**rich())
    world.set_clock("2026-03-02T10:00:00Z")
    world.member("mina", email="mina@example.org", name="Mina", attributes={"churn": 7})
    world.member("jun", email="jun@example.org", locale="en")
    for ref, minor, who in (("A-1", 19700, "mina"), ("A-2", 499700, "jun")):
        world.order(ref, minor, member_ref=who, currency="KRW")
    return world


def test_the_account_at_a_glance(shop: World) -> None:
    # 19,700 won at one per 100 are 197, and three for the piece.
    seen = mine(shop)
    assert seen["locale"] == "ko"
    assert seen["member"] | {"id": None} == {
        "id": None,
        "member_ref": "mina",
        "name": "Mina",
        "email": "mina@example.org",
        "phone": None,
        "birthday_on": None,
        "locale": None,
        "card_ref": None,
        "is_enrolled": True,
        "joined_at": "2026-01-01T00:00:00Z",
        "consents": [],
        "entitlements": [],
    }
    assert seen["balances"] == [
        {
            "name": "포인트",
            "points_key": "points",
            "available": 700,
            "pending": 0,
            "held": 0,
            "lifetime_earned": 700,
            "expiring": [],
        }
    ]
    assert (seen["tier"]["key"], seen["tier"]["name"]) == (None, None)
    assert seen["tier"]["progress"][0]["next"] == {"key": "silver", "missing": 480300}
    assert seen["cards"] == [
        {
            "key": "coffee",
            "name": "커피",
            "stamps": 1,
            "required": 10,
            "completed_count": 0,
            "first_stamp_at": "2026-03-01T10:00:00Z",
            "expires_at": "2026-09-01T15:00:00Z",
            "state": "open",
        }
    ]
    assert seen["next_reward"] is None


def test_texts_are_in_the_members_own_locale(shop: World) -> None:
    assert shop.order("A-3", 10000, member_ref="jun", currency="KRW")["tier"]["key"] == "silver"
    seen = mine(shop, member_ref="jun")
    assert seen["locale"] == "en"
    assert seen["tier"]["name"] == "Silver"
    assert [one["name"] for one in seen["member"]["entitlements"]] == ["Early access"]
    assert seen["cards"][0]["name"] == "Coffee"
    entries = mine(shop, "/entries", "jun")["data"]
    assert "300 points for reaching Silver" in [one["summary"] for one in entries]
    summaries = [one["summary"] for one in mine(shop, "/entries")["data"]]
    assert "주문 A-1로 200포인트 적립" in summaries


def test_what_expires_is_told_soonest_first(make_world: MakeWorld) -> None:
    after = {"policy": "after", "duration": "P1M"}
    world = make_world(
        points=[{"key": "points", "expiry": after}, {"key": "gems", "expiry": after}],
        earning={
            "rules": [
                BASE_RULE,
                rule("gem", {"do": "add_points", "points": 2, "points_key": "gems"}),
            ]
        },
    )
    world.set_clock("2026-03-10T00:00:00Z")
    world.member("mina")
    world.order("A-1", 1000, placed_at="2026-03-05T00:00:00Z")
    world.order("A-2", 500, placed_at="2026-03-01T00:00:00Z")
    assert mine(world)["expiring"] == [
        {"points_key": "gems", "expires_at": "2026-04-01T15:00:00Z", "points": 2},
        {"points_key": "points", "expires_at": "2026-04-01T15:00:00Z", "points": 5},
        {"points_key": "gems", "expires_at": "2026-04-05T15:00:00Z", "points": 2},
        {"points_key": "points", "expires_at": "2026-04-05T15:00:00Z", "points": 10},
    ]
    # What is over is over, whether anybody wrote so or not.
    world.set_clock("2026-04-03T00:00:00Z")
    assert mine(world)["balances"][0]["available"] == 10


def test_the_next_reward_is_the_nearest_in_points(make_world: MakeWorld) -> None:
    def reward(key: str, cost: int | None, **more: Any) -> dict[str, Any]:
        return {"key": key, "kind": "free_shipping", "cost_points": cost} | more

    world = make_world(
        rewards=[
            reward("far", 900),
            reward("near", 120, name={"en": "Near"}),
            reward("had", 50),
            reward("given", None),
            reward("off", 101, state="paused"),
            reward("sold", 110, stock=0),
        ]
    )
    world.member("mina")
    world.order("A-1", 10000)
    assert mine(world)["next_reward"] == {
        "key": "near",
        "name": "Near",
        "kind": "free_shipping",
        "cost_points": 120,
        "points_key": "points",
        "missing_points": 20,
        "image_url": None,
    }
    world.order("A-2", 2000)
    assert mine(world)["next_reward"]["key"] == "far"
    world.order("A-3", 80000)
    assert mine(world)["next_reward"] is None


def test_entries_come_in_pages(shop: World) -> None:
    for number in range(4):
        shop.order(f"B-{number}", 100, currency="KRW")
    held, seen, cursor = token(shop), [], ""
    for _ in range(20):
        page = told(ask(shop, "GET", f"/me/entries?limit=2{cursor}", credential=held))
        seen += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [one["id"] for one in shop.get("/members/mina/entries?limit=100")["data"]]
    assert len(seen) > 4
    for query in ("points_key=none", "as_of=2026-01-01T00:00:00Z", "member_ref=jun"):
        problem(ask(shop, "GET", f"/me/entries?{query}", credential=held), 422, "validation_failed")


def test_another_members_cursor_leads_to_nothing_of_theirs(shop: World) -> None:
    page = told(ask(shop, "GET", "/me/entries?limit=1", credential=token(shop, "jun")))
    held = token(shop)
    own = {one["id"] for one in told(ask(shop, "GET", "/me/entries", credential=held))["data"]}
    response = ask(shop, "GET", f"/me/entries?cursor={page['next_cursor']}", credential=held)
    assert {one["id"] for one in told(response)["data"]} <= own


def test_members_set_their_locale_birthday_and_consents(shop: World) -> None:
    held = token(shop)
    seen = told(ask(shop, "PATCH", "/me", {"locale": "en"}, credential=held))
    assert (seen["locale"], seen["member"]["locale"]) == ("en", "en")
    assert seen["balances"][0]["name"] == "points"
    body = {"birthday_on": "1990-05-04", "consents": [CONSENT]}
    seen = told(ask(shop, "PATCH", "/me", body, credential=held))
    assert seen["member"]["birthday_on"] == "1990-05-04"
    assert seen["member"]["locale"] == "en"
    [consent] = seen["member"]["consents"]
    assert consent == CONSENT | {
        "at": "2026-03-02T10:00:00Z",
        "source": "widget",
        "text_version": None,
    }
    assert shop.get("/members/mina")["consents"] == [consent]
    # Nothing else of the member changed.
    assert shop.get("/members/mina")["email"] == "mina@example.org"
    assert shop.get("/members/mina")["attributes"] == {"churn": 7}
    seen = told(ask(shop, "PATCH", "/me", {"locale": None, "birthday_on": None}, credential=held))
    assert (seen["member"]["locale"], seen["member"]["birthday_on"]) == (None, None)
    assert told(ask(shop, "PATCH", "/me", {}, credential=held)) == seen


def test_consents_are_appended_and_not_said_twice(shop: World) -> None:
    def say(**changes: Any) -> list[Any]:
        body = {"consents": [CONSENT | changes]}
        seen = told(ask(shop, "PATCH", "/me", body, credential=token(shop)))
        found: list[Any] = seen["member"]["consents"]
        return found

    say()
    shop.set_clock("2026-03-03T10:00:00Z")
    assert len(say()) == 1
    assert len(say(is_granted=False)) == 2
    assert len(say(is_granted=False)) == 2
    assert len(say()) == 3
    assert len(say(channel=None)) == 4
    told_ = say(purpose="terms", at="2026-03-03T09:00:00Z", source="footer", text_version="v2")
    assert told_[-1]["at"] == "2026-03-03T09:00:00Z"
    assert (told_[-1]["source"], told_[-1]["text_version"]) == ("footer", "v2")
    late = {"consents": [CONSENT | {"at": "2026-03-03T10:06:00Z"}]}
    response = ask(shop, "PATCH", "/me", late, credential=token(shop))
    assert pointers(problem(response, 422, "validation_failed")) == ["/consents/0/at"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Another"},
        {"email": "other@example.org"},
        {"attributes": {}},
        {"is_enrolled": True},
        {"joined_at": "2020-01-01T00:00:00Z"},
        {"member_ref": "jun"},
        {"locale": "no locale"},
        {"birthday_on": "1990-02-30"},
        {"consents": [{"purpose": "marketing"}]},
    ],
)
def test_members_set_nothing_else(shop: World, body: Any) -> None:
    problem(ask(shop, "PATCH", "/me", body, credential=token(shop)), 422, "validation_failed")


def test_a_birthday_told_too_late_pays_nothing_this_time(make_world: MakeWorld) -> None:
    birthday = rule("born", {"do": "add_points", "points": 100}, trigger="birthday")
    world = make_world(earning={"rules": [birthday]})
    world.set_clock("2026-03-01T00:00:00Z")
    for ref, day in (("early", "1990-04-10"), ("late", "1990-03-20")):
        world.member(ref)
        body = {"birthday_on": day}
        told(ask(world, "PATCH", "/me", body, credential=token(world, ref)))
    world.post("/test-clock", {"now": "2026-04-11T00:00:00Z"})
    assert (world.balance("early"), world.balance("late")) == (100, 0)
    # Moving the day on brings no second payment within a year.
    body = {"birthday_on": "1990-06-10"}
    told(ask(world, "PATCH", "/me", body, credential=token(world, "early")))
    world.post("/test-clock", {"now": "2026-06-11T00:00:00Z"})
    assert world.balance("early") == 100


def test_members_do_not_act_for_the_organisation(shop: World) -> None:
    headers = {"Dangol-Actor": "the boss"}
    reward = {"reward": "five"}
    response = ask(
        shop, "POST", "/me/redemptions", reward, credential=token(shop, "jun"), headers=headers
    )
    told(response, 201)
    shown = shop.get("/redemptions")["data"]
    assert [one["actor"] for one in shown] == [None]
    assert [one["actor"] for one in shop.get("/members/jun/entries")["data"]] == [None] * len(
        shop.get("/members/jun/entries")["data"]
    )


def test_whose_account_it_is_only_the_token_says(shop: World) -> None:
    held = token(shop)
    for path in ("/me/rewards?member_ref=jun", "/me?member_ref=jun", "/me/export?member_ref=jun"):
        problem(ask(shop, "GET", path, credential=held), 422, "validation_failed")


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/v1/me"), ("POST", "/v1/me/redemptions")])
def test_bodies_are_read_strictly(shop: World, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {token(shop)}", "Idempotency-Key": "strict"}
    client = shop.app.test_client()

    def send(raw: bytes, type_: str = "application/json") -> Any:
        return client.open(path, method=method, data=raw, content_type=type_, headers=headers)

    for raw in (b'{"locale": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000, b" ", b'{"locale": "e'):
        problem(send(raw), 400, "malformed_json")
    problem(send(b"{}", "text/plain"), 415, "unsupported_media_type")
    problem(send(b"{" + b" " * 2**20 + b"}"), 413, "payload_too_large")
    for raw in (b"5", b"[]", b"null", b'{"locale": 5, "reward": 5}', b'{"nothing": 1}'):
        problem(send(raw), 422, "validation_failed")
