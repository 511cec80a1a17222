"""What the world is told of referrals: each step once, by references, never by contact data."""

from typing import Any

from tests.scenarios.attributing import code_of, offer, sign_up
from tests.webhooks.conftest import Hooks, verified
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_types import validator

AT = "2026-03-01T10:00:00Z"


def test_each_step_is_told_once(hooks: Hooks, receiver: Receiver) -> None:
    world = hooks.world
    world.publish(referral_offers=[offer(qualifies={"min_net_minor": 5_000})])
    world.set_clock(AT)
    made = hooks.endpoint(receiver.url, "referral.*")
    world.member("mina", email="mina-personal@example.com")
    code = code_of(world, "mina")
    contact = {"email": "ara-personal@example.com", "name": "Ara Personal"}
    answer = sign_up(world, "ara", {"code": code}, **contact)

    def told() -> list[Any]:
        receiver.got.clear()
        hooks.run()
        found = [verified(made["secret"], got) for got in receiver.got]
        for one in found:
            validator(one["type"]).validate(one)
            assert "ersonal" not in str(one) and "signals" not in str(one)
        return sorted(found, key=lambda one: (one["type"], one["data"].get("side", "")))

    def words(found: list[Any]) -> list[tuple[str, str | None, str | None]]:
        return [
            (one["type"].partition(".")[2], one["data"].get("side"), one["data"]["reason"])
            for one in found
        ]

    # She is Mina's from now on; an order below the minimum changes nothing.
    world.order("A-1", 4_999, member_ref="ara", placed_at=AT)
    assert words(told()) == [("identified", None, None)]
    world.order("A-1", 5_000, member_ref="ara", placed_at=AT)
    found = told()
    assert words(found) == [
        ("approved", None, None),
        ("qualified", None, None),
        ("rewarded", "advocate", None),
        ("rewarded", "friend", None),
    ]
    of_friend = found[3]["data"]
    refs = {name: of_friend[name]["member_ref"] for name in ("advocate", "friend", "member")}
    assert refs == {"advocate": "mina", "friend": "ara", "member": "ara"}
    assert of_friend["referral_id"] == answer["referral"]["id"]
    assert (of_friend["offer"], of_friend["state"]) == ("friends", "rewarded")
    # Told again, nothing is news.
    world.order("A-1", 5_000, member_ref="ara", placed_at=AT)
    assert told() == []
    world.call("DELETE", "/members/ara")
    world.order("A-1", 5_000, member_ref=None, placed_at=AT, status="cancelled")
    [taken] = [one["data"] for one in told() if one["data"].get("side") == "advocate"]
    assert (taken["state"], taken["reason"]) == ("clawed_back", "ORDER_CANCELLED")
    assert (taken["member"]["member_ref"], taken["friend"]["member_ref"]) == ("mina", None)
    # Evidence that is refused is told with its reason.
    sign_up(world, "mina", {"code": code})
    [refused] = told()
    assert words([refused]) == [("rejected", None, "SELF_REFERRAL")]
