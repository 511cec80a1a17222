"""What referrals came to in a period, worked out by hand."""

from collections.abc import Callable
from typing import Any

from tests.world import World

MakeWorld = Callable[..., World]

OFFER = {
    "key": "friends",
    "landing_url": "https://shop.example/welcome",
    "advocate": [{"do": "add_points", "points": 500}, {"do": "payable", "minor": 200}],
    "friend": [{"do": "add_points", "points": 300}],
    "qualifies": {"min_net_minor": 50_00},
}
PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"


def _at(day: int, hour: int = 10) -> str:
    return f"2026-03-{day:02}T{hour:02}:00:00Z"


def _click(world: World, code: str, device: str, at: str, agent: str = PHONE) -> Any:
    body = {
        "code": code,
        "channel": "kakao",
        "visitor": {"device": device, "user_agent": agent},
        "occurred_at": at,
    }
    return world.post("/clicks", body, status=201)["token"]


def _join(world: World, ref: str, at: str, **evidence: str) -> None:
    world.put(f"/members/{ref}", {"joined_at": at} | ({"referral": evidence} if evidence else {}))


def test_the_funnel_its_speed_its_cost_and_who_came_by_it(make_world: MakeWorld) -> None:
    """Anna shares once. Two people click, one of them twice, and a machine looks. Ben buys for
    60.00 and 20.00, Jun for 40.00 (too little), Lee types the code and sends 60.00 back; Kim came
    by himself."""
    points = [{"key": "points", "value": {"points": 1, "minor": 1}}]
    world = make_world(points=points, earning={"rules": []}, referral_offers=[OFFER])
    world.member("anna")
    world.set_clock(_at(1))
    shared = world.post("/members/anna/links", {"channel": "kakao"}, status=201)
    code = shared["code"]
    world.set_clock(_at(20))
    first = _click(world, code, "d1", _at(2))
    _click(world, code, "d1", _at(2, 11))
    second = _click(world, code, "d2", _at(3))
    assert _click(world, code, "d3", _at(3), agent="kakaotalk-scrap/1.0") is None
    _join(world, "ben", _at(2, 12), token=first)
    _join(world, "jun", _at(3, 20), token=second)
    _join(world, "lee", _at(4), code=code)
    _join(world, "kim", _at(5))
    world.order("B-1", 60_00, member_ref="ben", placed_at=_at(4), paid_at=_at(4))
    world.order("B-2", 20_00, member_ref="ben", placed_at=_at(6), paid_at=_at(6))
    world.order("J-1", 40_00, member_ref="jun", placed_at=_at(6), paid_at=_at(6))
    world.order("L-1", 60_00, member_ref="lee", placed_at=_at(6), paid_at=_at(6))
    world.order("K-1", 30_00, member_ref="kim", placed_at=_at(7), paid_at=_at(7))
    back = {"refunded_at": _at(9), "amount_minor": 60_00}
    world.put("/orders/L-1/refunds/R-1", back)
    assert (world.balance("anna"), world.balance("ben"), world.balance("lee")) == (500, 300, 0)

    report = world.get("/reports/referrals?from=2026-03-01T00:00:00Z&to=2026-03-20T00:00:00Z")
    total = report["totals"]
    steps = ("shared", "clicked", "repeated", "previewed", "identified", "qualified", "approved")
    assert [total[step] for step in steps] == [1, 2, 1, 1, 3, 2, 2]
    assert [total[step] for step in ("rewarded", "clawed_back", "rejected")] == [2, 1, 0]
    assert total["rates_bp"] == {
        "shared_to_clicked": 20_000,
        # Lee typed the code.
        "clicked_to_by_click": 10_000,
        "identified_to_qualified": 6_666,
        "qualified_to_approved": 10_000,
        "approved_to_rewarded": 10_000,
    }
    [offer] = report["offers"]
    channels = {one["channel"]: one["identified"] for one in offer["channels"]}
    # Who types a code says nothing of a channel.
    assert (offer["offer"], channels) == ("friends", {"kakao": 2, None: 1})
    assert report["k_factor"] == {
        "advocates": 1,
        "clicks_by_advocate_bp": 20_000,
        "friends_by_click_bp": 10_000,
        "k_bp": 20_000,
    }
    # Ben took two hours, Jun ten; Ben bought after 46 hours, Lee after 48.
    hour = 3600
    assert [(one["count"], one["median_seconds"]) for one in report["times"][:2]] == [
        (2, 2 * hour),
        (2, 46 * hour),
    ]
    assert report["times"][0]["ninth_decile_seconds"] == 10 * hour
    # What Lee's order brought went back: 500, 300 and 2.00 in cash are left, for two approved.
    cost = report["cost"]
    assert (cost["points_minor"], cost["payables_minor"], cost["total_minor"]) == (800, 200, 1000)
    assert cost["by_approved_friend_minor"] == 500
    members = report["members"]
    assert (members["joined"], members["referred_share_bp"]) == (4, 7_500)
    assert members["referred"] == {
        "members": 3,
        "orders": 3,
        "orders_by_member_bp": 10_000,
        "repeat_rate_bp": 3_333,
        "net_by_member_minor": 40_00,
    }
    assert members["others"]["net_by_member_minor"] == 30_00
    assert "does not show" in members["warning"]["en"]
    nothing = world.get("/reports/referrals?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z")
    assert (
        nothing["totals"]["identified"],
        nothing["totals"]["rates_bp"]["shared_to_clicked"],
    ) == (
        0,
        None,
    )
