"""Every field of every answer to a browser is one of a list: a new one fails until it was looked
at. And nothing of the organisation's own, or of another member, stands in any of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.widget.allowed import ALLOWED
from tests.widget.browsing import ask, token, told
from tests.widget.test_public import NAMES, rich
from tests.world import BASE_RULE, World, line, rule

MakeWorld = Callable[..., World]

#: What must be nowhere, whatever it is called, in part of a field's name or whole.
SECRET = (
    *("cost_minor", "estimated", "budget", "weight", "probability", "holdout", "actor"),
    *("stock_left", "decision_id", "note", "spend_rank", "is_live", "state_reason"),
)
#: What the storefront itself told of an order is not ours to name.
TOLD = ("orders", "activities.facts", "decisions.facts", "member.attributes")


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Paths of everything that holds no object: lists stand for their items."""
    if isinstance(value, dict) and value and path not in TOLD:
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and path not in TOLD:
        for inner in value:
            yield from fields(inner, path)
    else:
        yield path


STAFF = ("Sora of the staff", "she complained", "between us")
GIFT_COST, CUP_COST, FIVE_COST, PERCENT_COST = 71234, 78765, 76543, 74567
BUDGET = 72345678


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """A program of everything, with two members who have and did everything."""
    sections = rich()
    by_hand = rule("welcome", {"do": "grant_reward", "reward": "card"}, trigger="signup")
    sections["earning"]["rules"] += [by_hand]
    sections["tiers"] |= {"term": {"policy": "from_entry"}, "downgrade": "one_down"}
    sections["tiers"]["levels"] += [{"key": "gold", "enter_at": 5000000}]
    expiry = {"policy": "after", "duration": "P12M"}
    sections["points"] = [{"key": "points", "name": NAMES, "expiry": expiry}]
    sections["rewards"] += [
        {
            "key": "card",
            "name": {"en": "Gift card"},
            "kind": "gift_card",
            "value": {"minor": 10000},
            "estimated_cost_minor": GIFT_COST,
            "claim_within": "P30D",
            "stock": 9731,
        },
        {
            "key": "ten",
            "kind": "discount_percent",
            "value": {"percent_bp": 1000},
            "max_discount_minor": 3000,
            "cost_points": 90000,
            "when": {"fact": "order.net_minor", "op": ">=", "value": 1000},
            "estimated_cost_minor": PERCENT_COST,
        },
        {
            "key": "mug",
            "kind": "free_product",
            "value": {"sku": "MUG"},
            "cost_points": 10,
            "stock": 9377,
            "needs_fulfilment": True,
            "estimated_cost_minor": CUP_COST,
        },
        {
            "key": "early",
            "kind": "access",
            "value": {"perk": "early", "valid_for": "P30D"},
            "cost_points": 5,
            "schedule": {"weekdays": [1, 2], "from": "09:00", "until": "17:00"},
            "tiers": ["silver"],
        },
    ]
    sections["referral_offers"] = [
        {
            "key": "friends",
            "landing_url": "https://shop.example/hello",
            "qualifies": {"trigger": "signup"},
            "advocate": [
                {"do": "add_points", "points": 3},
                {"do": "grant_reward", "reward": "cup"},
                {"do": "payable", "minor": 70},
                {"do": "add_stamps", "card": "coffee", "stamps": 2},
            ],
            "milestones": [{"at": 3, "effects": [{"do": "add_points", "points": 9}]}],
            "budget": {"total": BUDGET},
        }
    ]
    sections["surprises"] = [
        {
            "key": "hello",
            "name": NAMES,
            "trigger": "signup",
            "budget": {"unit": "minor", "total": BUDGET},
            "prizes": [
                {
                    "note": {"en": "{{member.name}}, here is {{reward.name}}"},
                    "estimated_cost_minor": GIFT_COST,
                    "effects": [
                        {"do": "add_points", "points": 4},
                        {"do": "grant_reward", "reward": "card"},
                        {"do": "payable", "minor": 60},
                    ],
                }
            ],
        }
    ]
    five = next(one for one in sections["rewards"] if one["key"] == "five")
    five["estimated_cost_minor"] = FIVE_COST
    world = make_world(**sections)
    world.set_clock("2026-03-02T10:00:00Z")
    for ref in ("mina", "jun"):
        fill(world, ref)
    return world


def fill(world: World, ref: str) -> None:
    """What a member may have and do, and what staff does about it."""
    staff = {"Dangol-Actor": "Sora of the staff"}
    consent = {"purpose": "terms", "is_granted": True, "at": "2026-01-01T00:00:00Z", "source": "x"}
    told_ = {"email": f"{ref}@example.org", "attributes": {"size": "M"}, "consents": [consent]}
    world.call("PUT", f"/members/{ref}", told_, headers=staff)
    world.order(f"{ref}-1", line("1", 600000, sku="MUG"), member_ref=ref, currency="KRW")
    refund = {"refunded_at": "2026-03-02T09:00:00Z", "amount_minor": 50000}
    world.put(f"/orders/{ref}-1/refunds/{ref}-R", refund)
    code = told(ask(world, "POST", "/me/links", {}, credential=token(world, ref)), 201)["code"]
    world.put(f"/members/{ref}-brought", {"referral": {"code": code}}, status=201)
    visit = {"member_ref": ref, "kind": "review", "occurred_at": "2026-03-01T10:00:00Z"}
    world.put(f"/activities/{ref}-V", visit | {"facts": {"stars": 5}})
    for path, body in (
        ("/adjustments", {"points": 7, "reason": "she complained", "note": "between us"}),
        ("/grants", {"reward": "cup", "reason": "she complained"}),
    ):
        headers = staff | {"Idempotency-Key": f"{ref}{path}"}
        response = world.call("POST", path, {"member_ref": ref} | body, headers=headers)
        assert response.status_code == 201, response.get_data(as_text=True)
    if ref == "jun":
        body = {"key": "black", "until": "2026-12-01T00:00:00Z", "reason": "she complained"}
        headers = staff | {"Idempotency-Key": f"{ref}-tier"}
        assert world.call("POST", f"/members/{ref}/tier", body, headers=headers).status_code == 200
    for reward in ("five", "mug"):
        body = {"member_ref": ref, "reward": reward}
        headers = staff | {"Idempotency-Key": f"{ref}-{reward}"}
        held = told(world.call("POST", "/redemptions", body, headers=headers), 201)["redemption"]
        world.post(f"/redemptions/{held['id']}/capture", {"order_ref": f"{ref}-2"})


def answers(world: World, ref: str) -> dict[str, Any]:
    """An answer of each of a browser's addresses, by endpoint."""
    held = token(world, ref)

    def asked(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        return told(ask(world, method, path, body, credential=held), status)

    found = {
        "widget.get_public_program": told(
            ask(world, "GET", "/public/program", credential=world.publishable_key)
        ),
        "widget.hold_mine": asked("POST", "/me/redemptions", {"reward": "five"}, 201),
    }
    redemption_id = found["widget.hold_mine"]["redemption"]["id"]
    path = f"/me/redemptions/{redemption_id}/release"
    surprise_id = asked("GET", "/me/surprises")["data"][0]["id"]
    return found | {
        "widget.release_mine": asked("POST", path),
        "widget.change_me": asked("PATCH", "/me", {"birthday_on": "1990-05-04"}),
        "widget.get_me": asked("GET", "/me"),
        "widget.list_my_entries": asked("GET", "/me/entries"),
        "widget.list_my_rewards": asked("GET", "/me/rewards"),
        "widget.list_my_redemptions": asked("GET", "/me/redemptions"),
        "widget.list_my_vouchers": asked("GET", "/me/vouchers"),
        "widget.share_mine": asked("POST", "/me/links", {}),
        "widget.list_my_links": asked("GET", "/me/links"),
        "widget.list_my_referrals": asked("GET", "/me/referrals"),
        "widget.list_my_surprises": asked("GET", "/me/surprises"),
        "widget.see_mine": asked("POST", f"/me/surprises/{surprise_id}/seen"),
        "widget.export_me": asked("GET", "/me/export"),
    }


def test_every_address_for_browsers_is_walked() -> None:
    from server import access

    ours = {one for one, needed in access.TABLE.items() if needed.kind != "secret"}
    assert ours == set(ALLOWED)


def test_every_field_is_one_that_was_looked_at(shop: World) -> None:
    seen = answers(shop, "mina")
    assert seen.keys() == ALLOWED.keys()
    for endpoint, answer in seen.items():
        found = set(fields(answer))
        # An empty list, or nothing at all, stands where something else stands below.
        empty = {
            one for one in found if any(name.startswith(f"{one}.") for name in ALLOWED[endpoint])
        }
        assert found - empty <= ALLOWED[endpoint], endpoint
        assert found - empty, endpoint
        # What is said to the member with a surprise is theirs; what staff notes is not.
        notes = {one for one in found if one.endswith("surprises.note")}
        notes |= {"data.note"} if endpoint == "widget.list_my_surprises" else set()
        names = {name for path in found - notes for name in path.split(".")}
        leaks = [name for name in names if any(secret in name for secret in SECRET)]
        assert leaks == [], endpoint


def test_every_field_of_the_list_was_seen(shop: World) -> None:
    """The list is no wish: what is never seen may as well go."""
    of_both = [answers(shop, ref) for ref in ("mina", "jun")]
    unseen = set()
    for endpoint, allowed in ALLOWED.items():
        found = {one for seen in of_both for one in fields(seen[endpoint])}
        unseen |= {
            f"{endpoint}.{one}"
            for one in allowed
            if not any(name == one or name.startswith(f"{one}.") for name in found)
            # Each kind of reward is worth something else.
            and ".discount." not in f".{one}"
        }
    assert unseen == {
        # What is given up has no code any more, and no cart was named.
        "widget.release_mine.redemption.voucher.code",
        "widget.release_mine.redemption.voucher.expires_at",
        "widget.list_my_rewards.data.unavailable_reasons.missing_minor",
    }


def test_nothing_of_staff_costs_or_stock_stands_in_any_value(shop: World) -> None:
    import json

    secrets = [*STAFF, *map(str, (GIFT_COST, CUP_COST, FIVE_COST, PERCENT_COST, BUDGET))]
    secrets += ["9731", "9377"]
    for endpoint, answer in answers(shop, "mina").items():
        text = json.dumps(answer, ensure_ascii=False)
        assert [one for one in secrets if one in text] == [], endpoint


def identifying(world: World, ref: str) -> set[str]:
    """What names a member or something of theirs: ids, references, codes."""
    found: set[str] = {ref, f"{ref}@example.org", f"{ref}-1", f"{ref}-V", f"{ref}-R"}
    found |= {f"{ref}-brought"}
    told_ = told(ask(world, "GET", "/me/export", credential=token(world, ref)))

    def walk(value: Any, name: str = "") -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif isinstance(value, str) and name in ("id", "code", "ref", "order_ref"):
            found.add(value)

    walk(told_)
    return found


def test_nothing_of_another_member_stands_in_any_value(shop: World) -> None:
    import json

    def values(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for inner in value.values():
                yield from values(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from values(inner)
        elif isinstance(value, str):
            yield value

    jun, mina = identifying(shop, "jun"), identifying(shop, "mina")
    assert len(jun - mina) > 20
    for endpoint, answer in answers(shop, "mina").items():
        assert set(values(answer)) & (jun - mina) == set(), endpoint
        text = json.dumps(answer)
        assert [one for one in jun - mina if len(one) > 5 and one in text] == [], endpoint


def test_a_transfer_names_nobody(make_world: MakeWorld) -> None:
    world = make_world(earning={"rules": [BASE_RULE]})
    for ref in ("mina", "jun"):
        world.member(ref)
    world.order("A-1", 1000)
    body = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 4, "reason": "for jun"}
    world.post("/transfers", body, status=201)
    other = world.get("/members/jun")["id"]
    for path in ("/me/entries", "/me/export", "/me"):
        text = ask(world, "GET", path, credential=token(world)).get_data(as_text=True)
        assert "jun" not in text and other not in text, path
