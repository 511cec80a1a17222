"""What storefronts see of surprises: answers, lists, and why nothing came, in two languages."""

from collections.abc import Callable
from typing import Any

from tests.world import World, points, reversed_points

MakeWorld = Callable[..., World]
NOTE = {
    "en": "Thank you, {{member.name}}: {{points}} points from {{program.name}}!",
    "ko": "{{member.name}}님, {{program.name}}에서 {{points}}점을 드려요!",
}
NAME = {"en": "Lucky day", "ko": "럭키데이"}
NEVER = {"fact": "order.channel", "op": "=", "value": "moon"}


def surprise(key: str = "luck", count: int = 7, **more: Any) -> dict[str, Any]:
    """One that always gives some points, changed where a test says so."""
    prize = {"effects": [{"do": "add_points", "points": count}], "note": NOTE}
    return {"key": key, "prizes": [prize]} | more


def listed(world: World, ref: str = "mina", query: str = "") -> list[dict[str, Any]]:
    """A member's surprises."""
    found: list[dict[str, Any]] = world.get(f"/members/{ref}/surprises{query}")["data"]
    return found


def by_rule(items: Any) -> dict[str, Any]:
    """What became of each surprise, by its key."""
    return {one["rule"]: one for one in items}


def test_every_answer_tells_what_was_won_and_a_repeat_tells_the_same(
    make_world: MakeWorld,
) -> None:
    world = make_world(
        surprises=[
            surprise(name=NAME),
            surprise("hello", 1500, trigger="signup"),
            surprise("word", 3, trigger="activity:review"),
        ]
    )
    world.set_clock("2026-03-10T10:00:00Z")
    # The signup's own answer already speaks to the member by name.
    [hello] = world.member(name="Mina {{points}}")["surprises"]
    assert hello["note"]["en"] == "Thank you, Mina {{points}}: 1,500 points from Bloom!"
    assert hello["note"]["ko"] == "Mina {{points}}님, Bloom에서 1,500점을 드려요!"
    assert hello["source"]["type"] == "signup"
    told = world.order("A-1", 1000)
    [one] = told["surprises"]
    assert (one["key"], one["name"], one["prize"]) == ("luck", NAME, 0)
    assert one["note"]["en"] == "Thank you, Mina {{points}}: 7 points from Bloom!"
    assert [award["points"] for award in one["awards"]] == [7]
    assert (one["grants"], one["payables"]) == ([], [])
    assert one["source"] == {"type": "order", "ref": "A-1"}
    assert one["won_at"] == "2026-03-01T10:00:00Z"
    assert world.order("A-1", 1000)["surprises"] == [one]
    assert world.get("/orders/A-1")["surprises"] == [one]
    review = {"member_ref": "mina", "kind": "review", "occurred_at": "2026-03-01T11:00:00Z"}
    wrote = world.put("/activities/R-1", review)["surprises"]
    assert [(won["key"], won["note"]["en"]) for won in wrote] == [
        ("word", "Thank you, Mina {{points}}: 3 points from Bloom!")
    ]
    assert world.put("/activities/R-1", review)["surprises"] == wrote
    assert world.get("/activities/R-1")["surprises"] == wrote
    # Batches, and a guest's order that is claimed, tell as well as one order does.
    body = {
        "order_ref": "B-1",
        "member_ref": "mina",
        "status": "paid",
        "currency": "EUR",
        "placed_at": "2026-03-01T12:00:00Z",
        "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 500}],
    }
    [result] = world.post("/orders/batch", {"orders": [body]})["results"]
    assert [won["key"] for won in result["surprises"]] == ["luck"]
    token = world.order("G-1", 1000, member_ref=None)["claim_token"]
    claimed = world.post("/claims", {"token": token, "member_ref": "mina"})
    assert [won["key"] for won in claimed["surprises"]] == ["luck"]
    # Newest first, and in pages.
    keys = [won["key"] for won in listed(world)]
    assert keys == ["luck", "luck", "word", "luck", "hello"]
    page = world.get("/members/mina/surprises?limit=2")
    rest = world.get(f"/members/mina/surprises?limit=100&cursor={page['next_cursor']}")
    assert [*page["data"], *rest["data"]] == listed(world)
    assert {won["state"] for won in listed(world)} == {"won"}
    assert world.call("GET", "/members/nobody/surprises").status_code == 404
    # A quote draws nothing and gives nothing.
    before = listed(world, query="?include=all")
    assert points(world.quote(1000)) == 10
    assert listed(world, query="?include=all") == before


def test_a_preview_shows_what_would_go_back_and_changes_nothing(make_world: MakeWorld) -> None:
    big = {"fact": "order.net_minor", "op": ">=", "value": 1000}
    world = make_world(surprises=[surprise(name=NAME, when=big)])
    world.member(name="Mina")
    [one] = world.order("A-1", 1000)["surprises"]
    path = "/orders/A-1/refunds/R-1"
    whole = {"refunded_at": "2026-03-02T10:00:00Z", "amount_minor": 1000}
    part = whole | {"amount_minor": 400}
    gone = [{"key": "luck", "prize": 0, "draw_id": one["draw_id"]}]
    preview = world.put(f"{path}?dry_run=true", whole)
    assert (preview["surprises"], preview["surprises_revoked"]) == ([], gone)
    assert reversed_points(preview) == 17
    # What was drawn stays drawn: less of the order than the condition asks for takes nothing.
    kept = world.put(f"{path}?dry_run=true", part)
    assert ([won["draw_id"] for won in kept["surprises"]], kept["surprises_revoked"]) == (
        [one["draw_id"]],
        [],
    )
    assert reversed_points(kept) == 4
    assert world.balance() == 17
    [stands] = listed(world)
    assert (stands["state"], stands["reason"]) == ("won", None)
    refunded = world.put(path, whole)
    assert (refunded["surprises"], refunded["surprises_revoked"]) == ([], gone)
    assert world.balance() == 0
    [back] = listed(world)
    assert (back["state"], back["reason"], back["awards"], back["note"]) == (
        *("taken_back", "not_paid"),
        *([], None),
    )
    assert back["summary"] == {
        "en": "“Lucky day” was won, and taken back with what had brought it.",
        "ko": "‘럭키데이’는 당첨되었으나 계기가 취소되어 회수되었습니다.",
    }
    parked = world.put("/orders/Z-9/refunds/R-1", part, status=202)
    assert (parked["surprises"], parked["surprises_revoked"]) == ([], [])


def test_entries_and_decisions_lead_to_the_receipt(make_world: MakeWorld) -> None:
    world = make_world(surprises=[surprise(name=NAME), surprise("unnamed", 2)])
    world.member()
    won = {one["key"]: one for one in world.order("A-1", 1000)["surprises"]}
    entries = {one["source"]["ref"]: one for one in world.entries()}
    named, unnamed = entries[won["luck"]["draw_id"]], entries[won["unnamed"]["draw_id"]]
    assert named["summary"] == {
        "en": "7 points for surprise: Lucky day",
        "ko": "깜짝 선물: 럭키데이로 7포인트 적립",
    }
    # A key is nobody's business: without a name it is a surprise.
    assert unnamed["summary"] == {"en": "2 points for a surprise", "ko": "깜짝 선물로 2포인트 적립"}
    entry = world.get(f"/entries/{named['id']}")
    assert entry["summary"] == named["summary"]
    assert entry["decision"]["source"] == {"type": "surprise", "ref": won["luck"]["draw_id"]}
    assert entry["decision"]["summary"] == {
        "en": "7 points for surprise: Lucky day.",
        "ko": "깜짝 선물: 럭키데이로 7포인트가 적립되었습니다.",
    }
    [outcome] = entry["decision"]["outcomes"]
    assert outcome["summary"]["en"] == "“Lucky day” gave 7 points."
    draw = world.get(f"/draws/{won['luck']['draw_id']}")
    assert (draw["won"], draw["source"]) == (True, {"type": "order", "ref": "A-1"})
    assert draw["decision_id"] == entry["decision"]["id"]
    why = world.get(f"/members/mina/why?source=surprise:{won['luck']['draw_id']}")
    assert why["earned"] == [{"points_key": "points", "points": 7}]
    assert why["entries"][0]["summary"] == named["summary"]
    assert [one["is_fired"] for one in why["surprises"]] == [True]
    world.order("A-1", 1000, status="cancelled", revision=2)
    back = world.entries()[-2]["summary"]
    assert back["ko"].endswith("취소로 7포인트 회수")
    why = world.get(f"/members/mina/why?source=surprise:{won['luck']['draw_id']}")
    assert why["summary"]["en"].startswith("“Lucky day” was won, and taken back")
    assert world.call("GET", "/members/mina/why?source=surprise:drw_x").status_code == 404


def test_every_surprise_that_did_not_come_says_why(make_world: MakeWorld) -> None:
    over = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-02-01T00:00:00Z"}
    always = [{"per": "member", "period": "ever", "times": 1}]
    world = make_world(
        surprises=[
            surprise("paused", state="paused", priority=0),
            surprise("over", schedule=over, priority=1),
            surprise("moon", when=NEVER, name={"en": "Moon"}, priority=2),
            surprise("held", holdout_bp=10_000, priority=3),
            surprise("first", group="one", priority=4),
            surprise("second", group="one", priority=5),
            surprise("once", limits=always, priority=6),
            surprise("cool", cooldown="P30D", priority=7),
            surprise("poor", budget={"unit": "points", "total": 6}, priority=8),
            surprise("unlucky", probability_ppm=0, priority=9),
            surprise("tried", state="shadow", priority=10),
        ]
    )
    world.member()
    world.order("A-1", 1000)
    told = world.order("A-2", 1000, placed_at="2026-03-02T10:00:00Z")
    assert [one["key"] for one in told["surprises"]] == ["first"]
    why = world.get("/members/mina/why?source=order:A-2")
    decision = world.get(f"/decisions/{told['decision_id']}")
    found = by_rule(why["surprises"])
    assert by_rule(decision["surprises"]) == found
    reasons = {key: (one["is_fired"], one.get("reason")) for key, one in found.items()}
    assert reasons == {
        "paused": (False, "not_live"),
        "over": (False, "outside_schedule"),
        "moon": (False, "condition_not_met"),
        "held": (False, "holdout"),
        "first": (True, None),
        "second": (False, "excluded"),
        "once": (False, "limit_reached"),
        "cool": (False, "cooldown"),
        "poor": (False, "budget"),
        "unlucky": (False, "lost"),
        "tried": (False, None),
    }
    # What a condition lacks is told as of any rule.
    assert [one["fact"] for one in found["moon"]["missing"]] == ["order.channel"]
    assert found["moon"]["summary"]["en"].startswith("“Moon” did not apply. What it takes: ")
    # Sentences tell neither a holdout nor a budget; the code and the detail do.
    neutral = {"en": "{} was not offered.", "ko": "{} 제공되지 않았습니다."}
    assert found["held"]["summary"] == {
        "en": neutral["en"].format("“held”"),
        "ko": neutral["ko"].format("‘held’는"),
    }
    assert found["poor"]["summary"]["en"] == neutral["en"].format("“poor”")
    assert found["held"]["detail"].endswith("(its own holdout)")
    assert found["unlucky"]["detail"].endswith("below 0 wins")
    assert found["second"]["summary"]["en"].endswith("another surprise came first.")
    assert found["tried"]["summary"]["en"] == "“tried” is only being tried and gives nothing."
    receipts = {key for key, one in found.items() if one["draw_id"] is not None}
    assert receipts == set(found) - {"paused", "over", "moon"}
    # The same from the list of every chance; the usual one has what was won.
    every = listed(world, query="?include=all")
    of_second = {one["key"]: one for one in every if one["source"]["ref"] == "A-2"}
    assert {key: one["state"] for key, one in of_second.items()} == {
        "held": "stopped",
        "first": "won",
        "second": "stopped",
        "once": "stopped",
        "cool": "stopped",
        "poor": "stopped",
        "unlucky": "lost",
        "tried": "shadow",
    }
    assert of_second["held"]["summary"] == found["held"]["summary"]
    assert (of_second["unlucky"]["won_at"], of_second["held"]["prize"]) == (
        None,
        None,
    )
    assert sorted(one["key"] for one in listed(world)) == ["cool", "first", "first", "once"]
    # Told again with something else, the decision that stands still knows of every draw.
    world.order("A-2", 1000, 500, placed_at="2026-03-02T10:00:00Z", revision=2)
    again = by_rule(world.get("/members/mina/why?source=order:A-2")["surprises"])
    assert {key: one.get("reason") for key, one in again.items()} == {
        key: one.get("reason") for key, one in found.items()
    }
    assert world.verify()["mismatches"] == []


def test_a_free_gift_is_sent_and_a_gift_card_keeps_its_code(make_world: MakeWorld) -> None:
    gift = {"do": "grant_reward", "reward": "card"}
    mug = {"do": "grant_reward", "reward": "mug"}
    cash = {"do": "payable", "minor": 250}
    note = {"en": "{{reward.name}} for you", "ko": "{{reward.name}} 드려요"}
    names = {"en": "Mug", "ko": "머그컵"}
    world = make_world(
        rewards=[
            {
                "key": "mug",
                "name": names,
                "kind": "free_product",
                "value": {"sku": "MUG"},
                "needs_fulfilment": True,
                "stock": 1,
            },
            {
                "key": "card",
                "kind": "gift_card",
                "value": {"minor": 1000},
                "voucher": {"valid_for": "P30D"},
            },
        ],
        surprises=[
            surprise("gift", prizes=[{"effects": [mug], "note": note}]),
            surprise("money", prizes=[{"effects": [gift, cash]}], priority=1),
        ],
    )
    world.set_clock("2026-03-10T10:00:00Z")
    world.member()
    token = world.order("A-1", 1000, member_ref=None)["claim_token"]
    # The answer of a claim is stored, so it holds no code.
    stored = {
        one["key"]: one
        for one in world.post("/claims", {"token": token, "member_ref": "mina"})["surprises"]
    }
    [hidden] = stored["money"]["grants"]
    assert hidden["voucher"]["code"] is None
    assert stored["gift"]["note"] == {"en": "Mug for you", "ko": "머그컵 드려요"}
    [sent] = stored["gift"]["grants"]
    assert (sent["reward"], sent["state"], sent["source"]["type"]) == ("mug", "open", "surprise")
    told = {one["key"]: one for one in world.get("/orders/A-1")["surprises"]}
    [shown] = told["money"]["grants"]
    assert shown["voucher"]["code"] == world.get(f"/grants/{hidden['id']}")["voucher"]["code"]
    assert [one["minor"] for one in told["money"]["payables"]] == [250]
    assert {one["key"]: one["grants"] for one in listed(world)} == {
        key: one["grants"] for key, one in told.items()
    }
    # The gift is redeemed as any grant is, and staff sends it.
    body = {"member_ref": "mina", "reward": "mug", "grant_id": sent["id"]}
    held = world.post("/redemptions", body, status=201)["redemption"]
    world.post(f"/redemptions/{held['id']}/capture", {})
    [parcel] = world.get("/fulfilments?state=requested")["data"]
    assert (parcel["reward"], parcel["redemption_id"]) == ("mug", held["id"])
    # What is not used yet goes with the order; what was used stays with the member.
    back = world.order("A-1", 1000, status="cancelled", revision=2)
    assert back["surprises"] == []
    assert world.get(f"/grants/{hidden['id']}")["state"] == "revoked"
    assert world.get(f"/grants/{sent['id']}")["state"] == "used"
    assert world.verify()["mismatches"] == []


def test_what_names_the_member_is_gone_with_them(make_world: MakeWorld) -> None:
    world = make_world(surprises=[surprise(name=NAME)])
    world.member(name="Mina Kim")
    world.order("A-1", 1000)
    assert "Mina Kim" in listed(world)[0]["note"]["en"]
    assert world.call("DELETE", "/members/mina").status_code in (200, 204)
    answer = world.call("GET", "/orders/A-1").get_data(as_text=True)
    assert "Mina Kim" not in answer
