"""Documents whose rewards must have a warning, with those that are near and must have none."""

from typing import Any

from tests.programs.advice_cases import LADDER, more, rules, tier
from tests.world import document, rule

AT = "/rewards/0"


def reward(**more_fields: Any) -> dict[str, Any]:
    """Five off for 500 points, which are worth as much."""
    return {
        "key": "five",
        "kind": "discount_amount",
        "value": {"minor": 500},
        "cost_points": 500,
    } | more_fields


def rewarding(**fields: Any) -> dict[str, Any]:
    """A document with that reward, changed."""
    return document(rewards=[reward(**fields)])


def percent(share: int, **fields: Any) -> dict[str, Any]:
    return rewarding(kind="discount_percent", value={"percent_bp": share}, **fields)


def paying(**fields: Any) -> dict[str, Any]:
    return document(pay_with_points=fields)


GRANTS = rule("gift", {"do": "grant_reward", "reward": "five"})

OF_REWARDS: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "reward_above_points",
        f"{AT}/cost_points",
        rewarding(cost_points=499),
        [
            rewarding(),
            rewarding(cost_points=499, state="paused"),
            rewarding(cost_points=0, stock=1),
            percent(1000, cost_points=1),
        ],
    ),
    (
        "reward_above_points",
        "/pay_with_points/value",
        paying(value={"points": 100, "minor": 101}),
        [
            paying(step_points=1),
            paying(value={"points": 100, "minor": 100}),
            paying(value={"points": 100, "minor": 50}),
        ],
    ),
    (
        "unbounded_discount",
        f"{AT}/value/percent_bp",
        percent(5000),
        [percent(4999), percent(5000, max_discount_minor=1000)],
    ),
    (
        "free_without_limit",
        f"{AT}/cost_points",
        rewarding(cost_points=0),
        [
            rewarding(cost_points=0, stock=5),
            rewarding(cost_points=0, limits=[{"per": "member", "period": "ever", "times": 1}]),
            rewarding(cost_points=500),
        ],
    ),
    (
        "reward_for_nobody",
        AT,
        rewarding(cost_points=None),
        [
            rules(GRANTS, rewards=[reward(cost_points=None)]),
            rewarding(),
            document(
                rewards=[reward(cost_points=None, cost_by_tier={"gold": 500})],
                **LADDER,
            ),
        ],
    ),
    (
        "reward_for_nobody",
        AT,
        rules(GRANTS | {"state": "paused"}, rewards=[reward(cost_points=None)]),
        [rules(GRANTS, rewards=[reward(cost_points=None)])],
    ),
    (
        "reward_for_nobody",
        f"{AT}/when",
        rewarding(when={"all": [more(10000), more(5000, "<")]}),
        [rewarding(when={"any": [more(10000), more(5000, "<")]})],
    ),
    (
        "reward_for_nobody",
        f"{AT}/applies_to/when",
        rewarding(applies_to={"when": {"fact": "line.quantity", "op": "<", "value": 0}}),
        [rewarding(applies_to={"when": {"fact": "line.quantity", "op": ">", "value": 0}})],
    ),
    ("no_stock", f"{AT}/stock", rewarding(stock=0), [rewarding(stock=1), rewarding()]),
    (
        "weak_code",
        f"{AT}/voucher/pattern",
        # Eleven symbols: 55 bits.
        rewarding(voucher={"pattern": "WELCOME-###########"}),
        [rewarding(voucher={"pattern": "WELCOME-############"}), rewarding(voucher={})],
    ),
    (
        "step_pays_fractions",
        "/pay_with_points/step_points",
        paying(step_points=15, value={"points": 10, "minor": 1}),
        [
            paying(step_points=20, value={"points": 10, "minor": 1}),
            paying(step_points=15, value={"points": 10, "minor": 2}),
        ],
    ),
    (
        "higher_level_gives_less",
        f"{AT}/cost_by_tier/gold",
        document(rewards=[reward(cost_by_tier={"silver": 500, "gold": 501})], **LADDER),
        [
            document(rewards=[reward(cost_by_tier={"silver": 500, "gold": 500})], **LADDER),
            document(rewards=[reward(cost_by_tier={"gold": 400})], **LADDER),
        ],
    ),
    (
        "higher_level_gives_less",
        f"{AT}/cost_points",
        document(rewards=[reward(cost_by_tier={"silver": 400})], **LADDER),
        [document(rewards=[reward(cost_by_tier={"silver": 400, "gold": 400})], **LADDER)],
    ),
    (
        "paused_tier",
        f"{AT}/tiers",
        document(
            rewards=[reward(tiers=["gold"])],
            tiers={"levels": [{"key": "gold", "enter_at": 1, "state": "paused"}]},
        ),
        [document(rewards=[reward(tiers=["gold"])], **LADDER)],
    ),
    (
        "unknown_tier",
        f"{AT}/when/value",
        document(rewards=[reward(when=tier("glod"))], **LADDER),
        [document(rewards=[reward(when=tier("gold"))], **LADDER)],
    ),
    (
        "schedule_over",
        f"{AT}/schedule/ends_at",
        rewarding(schedule={"ends_at": "2026-05-31T00:00:00Z"}),
        [rewarding(schedule={"ends_at": "2026-06-02T00:00:00Z"})],
    ),
]
