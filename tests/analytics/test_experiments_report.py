"""What surprises came to and what they changed, worked out by hand, over HTTP."""

import hashlib
import math
from collections.abc import Callable
from statistics import fmean, variance
from typing import Any

import sqlalchemy as sa

from tests.world import World

MakeWorld = Callable[..., World]

THANKS = {
    "key": "thanks",
    "when": {"fact": "order.net_minor", "op": ">=", "value": 50_00},
    "prizes": [{"effects": [{"do": "add_points", "points": 100}, {"do": "payable", "minor": 25}]}],
    "limits": [{"per": "member", "period": "ever", "times": 1}],
    "budget": {"unit": "points", "total": 20_000, "per_day": 13_000},
    "holdout_bp": 5_000,
}
#: Pretends, on the same orders, that half of them win.
GHOST = THANKS | {"key": "ghost", "state": "shadow", "holdout_bp": 0, "probability_ppm": 500_000}
DOCUMENT: dict[str, Any] = {
    "points": [{"key": "points", "value": {"points": 100, "minor": 50}}],
    "earning": {"rules": []},
    "holdout_bp": 1_000,
}


def _at(day: int) -> str:
    """Ten o'clock of a day in March; 0 is the last of February."""
    return f"2026-03-{day:02}T10:00:00Z" if day else "2026-02-28T10:00:00Z"


class Story:
    """120 treated members, 100 whom the surprise holds out, and 25 whom the program does."""

    def __init__(self, make_world: MakeWorld) -> None:
        self.world = make_world(**DOCUMENT, surprises=[THANKS, GHOST])
        self.treated: list[str] = []
        self.held: list[str] = []
        self.apart: list[str] = []
        number = 0
        while (len(self.treated), len(self.held), len(self.apart)) != (120, 100, 25):
            number += 1
            arm, most = self._arm(f"m_{number}")
            if len(arm) < most:
                arm.append(f"m_{number}")
        self.told: list[dict[str, Any]] = []

    def _arm(self, ref: str) -> tuple[list[str], int]:
        salt = self.world.program_id
        if bucket(f"{salt}:program", ref) < 1_000:
            return self.apart, 25
        if bucket(f"{salt}:surprise:thanks", ref) < 5_000:
            return self.held, 100
        return self.treated, 120

    def buys(self, ref: str, minor: int, day: int) -> None:
        """Tell of an order with the next batch."""
        self.told.append(
            {
                "order_ref": f"{ref}-{day}-{minor}",
                "member_ref": ref,
                "status": "paid",
                "currency": "EUR",
                "placed_at": _at(day),
                "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": minor}],
            }
        )

    def tell(self) -> None:
        """Send what was bought."""
        answer = self.world.post("/orders/batch", {"orders": self.told})
        assert {one["status"] for one in answer["results"]} == {201}, answer
        self.told = []

    def refund(self, order_ref: str, minor: int) -> None:
        """On 9 March."""
        body = {"refunded_at": _at(9), "amount_minor": minor}
        self.world.put(f"/orders/{order_ref}/refunds/R", body)

    def report(self, query: str = "") -> Any:
        """The report, with its surprises and experiments by key."""
        found = self.world.get(f"/reports/surprises{query}")
        for name in ("surprises", "experiments"):
            found[name] = {one["surprise"]: one for one in found[name]}
        return found


def bucket(salt: str, ref: str) -> int:
    """As SEMANTICS has it."""
    digest = hashlib.sha256(f"{salt}:{ref}".encode()).hexdigest()
    return int(digest, 16) * 10_000 >> 256


def _play(make_world: MakeWorld) -> Story:
    """On 1 March everybody buys for 50.00, and half of them came before for 20.00. Then of the
    treated 36 come back for 30.00 and ten of these for 10.00 more; of those held out 15 do for
    30.00, of which 10.00 is refunded once. One further treated order is refunded whole, and so is
    the first one of another treated member. One who won buys for 50.00 again."""
    story = Story(make_world)
    world, treated, held = story.world, story.treated, story.held
    world.set_clock("2026-03-01T12:00:00Z")
    everybody = [*treated, *held, *story.apart]
    members = [{"member_ref": ref, "joined_at": "2026-01-01T00:00:00Z"} for ref in everybody]
    world.post("/members/batch", {"members": members})
    for ref in (*treated[::2], *held[::2]):
        story.buys(ref, 20_00, 0)
    for ref in everybody:
        story.buys(ref, 50_00, 1)
    story.tell()
    today = story.report()["surprises"]["thanks"]["budget"]
    assert (today["used"], today["used_today"], today["left_today"]) == (12_000, 12_000, 1_000)
    world.set_clock(_at(10))
    for ref in treated[:37]:
        story.buys(ref, 30_00, 2)
    for ref in treated[:10]:
        story.buys(ref, 10_00, 3)
    for ref in held[:15]:
        story.buys(ref, 30_00, 2)
    story.buys(treated[0], 50_00, 4)
    story.tell()
    story.refund(f"{treated[36]}-2-3000", 30_00)
    story.refund(f"{held[0]}-2-3000", 10_00)
    story.refund(f"{treated[119]}-1-5000", 50_00)
    return story


def test_the_report_tells_luck_cost_budget_and_what_a_surprise_changed(
    make_world: MakeWorld,
) -> None:
    story = _play(make_world)
    report = story.report()
    thanks, ghost = report["surprises"]["thanks"], report["surprises"]["ghost"]
    assert (thanks["considered"], thanks["held_out"]) == (246, {"program": 25, "rule": 100})
    assert {one["guard"]: one["count"] for one in thanks["guards"]} == {
        "excluded": 0,
        "limit_reached": 1,
        "cooldown": 0,
        "budget": 0,
    }
    counts = [thanks[name] for name in ("draws", "won", "standing", "taken_back", "won_by_pity")]
    assert counts == [120, 120, 119, 1, 0]
    assert thanks["luck"] == {
        "draws": 120,
        "won": 120,
        "won_ppm": 1_000_000,
        "expected_ppm": 1_000_000,
        "is_within_chance": True,
    }
    assert thanks["prizes"] == [{"prize": 0, "won": 120, "standing": 119}]
    # 119 × 100 points, of which 100 are worth 0.50, and 119 × 0.25 in cash.
    cost = {"points_minor": 59_50, "rewards_minor": 0, "payables_minor": 29_75}
    cost["estimates_minor"] = 0
    points = [{"points_key": "points", "points": 11_900, "value_minor": 59_50}]
    assert thanks["cost"] == report["cost"] == {"points": points, **cost, "total_minor": 89_25}
    assert thanks["budget"] == {
        "unit": "points",
        "claimed": 11_900,
        "total": 20_000,
        "used": 11_900,
        "left": 8_100,
        "per_day": 13_000,
        "used_today": 0,
        # Not more than is left in all.
        "left_today": 8_100,
        "ends_at": None,
    }
    pretended = ghost["shadow"]
    assert (ghost["considered"], ghost["draws"], ghost["cost"]["total_minor"]) == (0, 0, 0)
    # Whom the program holds out meets no draw even where it only pretends.
    assert (pretended["considered"], pretended["draws"]) == (246, 221)
    assert 60 < pretended["won"] < 160

    assert set(report["experiments"]) == {None, "thanks"}
    found = report["experiments"]["thanks"]
    assert (found["members"], found["withheld"]) == ({"treated": 120, "held_out": 100}, None)
    assert (found["is_running"], found["first_exposed_at"]) == (True, _at(1))
    # 10² / 110 twice is 1.818.
    assert found["sample_ratio"]["p"] == "0.18"
    # 36 of 120 against 15 of 100.
    assert found["repeat_rate"] == {
        "treated_bp": 3_000,
        "held_out_bp": 1_500,
        "difference_bp": 1_500,
        "low_bp": 384,
        "high_bp": 2_541,
        "verdict": "higher",
    }
    # 47 and 15 orders.
    orders = found["orders_by_member"]
    assert (orders["treated_bp"], orders["held_out_bp"]) == (3_917, 1_500)
    net = found["net_by_member"]
    treated = [90_00] + [40_00] * 9 + [30_00] * 26 + [0] * 84
    held = [20_00] + [30_00] * 14 + [0] * 85
    assert (fmean(treated), fmean(held)) == (1_025, 440)
    assert [net[f"{name}_minor"] for name in ("treated", "held_out", "difference")] == [
        10_25,
        4_40,
        5_85,
    ]
    # Welch: 204 degrees of freedom, t is 1.9717.
    reach = 1.9717 * math.sqrt(variance(treated) / 120 + variance(held) / 100)
    assert abs(net["low_minor"] - (5_85 - reach)) <= 1 and net["verdict"] == "higher"
    assert net["all_treated"]["difference_minor"] == 5_85 * 120
    # 1,025 to 440.
    assert net["lift"]["difference_bp"] == 13_295
    # Whom the program holds out stands against all others, and is too few to tell.
    program = report["experiments"][None]
    assert program["members"] == {"treated": 220, "held_out": 25}
    assert (program["withheld"], program["net_by_member"]) == ("too_few", None)
    assert program["minimum"]["members"] == 100


def test_what_the_arms_do_not_bear_is_withheld(make_world: MakeWorld) -> None:
    story = _play(make_world)
    world, whole = story.world, story.report("?surprise=thanks")
    assert list(whole["surprises"]) == list(whole["experiments"]) == ["thanks"]
    # Before anybody came back, and before anybody was exposed.
    early = story.report(f"?to={_at(2)}")["experiments"]["thanks"]
    assert early["repeat_rate"]["treated_bp"] == 0
    assert story.report(f"?to={_at(1)}")["experiments"] == {}
    # Who was exposed before the period begins is no part of it.
    later = story.report(f"?from={_at(2)}")["experiments"]["thanks"]
    assert later["members"] == {"treated": 0, "held_out": 0}
    assert (later["withheld"], later["first_exposed_at"]) == ("too_few", None)
    problem = world.call("GET", f"/reports/surprises?from={_at(2)}&to={_at(1)}")
    assert problem.status_code == 422
    # Another share is another experiment; of the period before, it is the one before.
    world.publish(**DOCUMENT, surprises=[THANKS | {"holdout_bp": 4_000}, GHOST])
    world.member("zoe")
    world.order("Z-1", 50_00, member_ref="zoe", placed_at=_at(10))
    other = story.report()["experiments"]["thanks"]
    assert other["left_out"] == {"other_share": 220, "both_arms": 0}
    assert sum(other["members"].values()) == (bucket(f"{world.program_id}:program", "zoe") >= 1000)
    before = story.report(f"?to={_at(10)}")["experiments"]["thanks"]
    assert before["members"] == {"treated": 120, "held_out": 100}
    assert (before["is_running"], before["sample_ratio"]["holdout_bp"]) == (False, 5_000)
    # Two references that turn out to be one member, of different arms: in neither.
    world.post(f"/members/{story.held[99]}/merge", {"into_member_ref": story.treated[118]})
    united = story.report(f"?to={_at(10)}")["experiments"]["thanks"]
    assert united["members"] == {"treated": 119, "held_out": 99}
    assert united["left_out"] == {"other_share": 0, "both_arms": 1}
    # Forty receipts that do not say any more that they were held out.
    _lose(world, story.held[:40])
    broken = story.report(f"?to={_at(10)}")["experiments"]["thanks"]
    assert broken["members"] == {"treated": 159, "held_out": 59}
    assert broken["withheld"] == "sample_ratio"
    assert [broken[name] for name in ("repeat_rate", "orders_by_member", "power")] == [None] * 3


def _lose(world: World, refs: list[str]) -> None:
    from core import db, ids
    from rewards.surprises.carried import DRAWS

    where = sa.and_(
        DRAWS.c.program_id == ids.read_id("prg", world.program_id), DRAWS.c.member_ref.in_(refs)
    )
    statement = sa.update(DRAWS).where(where).values(guard=None, holdout_scope=None)
    with world.app.app_context():
        db.in_transaction(lambda connection: connection.execute(statement))
