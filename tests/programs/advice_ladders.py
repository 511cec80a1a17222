"""Documents whose levels, points or cards must have a warning, with those that must have none."""

from typing import Any

from tests.programs.advice_cases import BY_POINTS, GOLD, OF_RULES, SILVER, add, ladder, rules
from tests.world import document, per_euro, rule

MUST: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    *OF_RULES,
    (
        "unreachable_level",
        "/tiers/levels/1/enter_at",
        document(
            earning={
                "rules": [
                    rule(
                        "a",
                        add(100, counts_for_tier=True),
                        limits=[{"per": "member", "period": "ever", "times": 3}],
                    )
                ]
            },
            tiers=ladder(
                {"key": "one", "enter_at": 300}, {"key": "two", "enter_at": 301}, **BY_POINTS
            ),
        ),
        [
            document(
                earning={"rules": [rule("a", add(100, counts_for_tier=True))]},
                tiers=ladder({"key": "one", "enter_at": 300}, **BY_POINTS),
            ),
            rules(tiers=ladder({"key": "one", "enter_at": 300}, **BY_POINTS)),
        ],
    ),
    (
        "unreachable_level",
        "/tiers/levels/0/enter_at",
        document(
            earning={"rules": [rule("a", add(100))]},
            tiers=ladder({"key": "one", "enter_at": 1}, **BY_POINTS),
        ),
        [
            document(
                earning={"rules": [rule("a", add(100))]},
                tiers=ladder({"key": "one", "enter_at": 0}, **BY_POINTS),
            )
        ],
    ),
    (
        "gap_in_ladder",
        "/tiers/levels/0/enter_at",
        rules(tiers=ladder({"key": "gold", "enter_at": 100001}, SILVER)),
        [rules(tiers=ladder({"key": "gold", "enter_at": 100000}, SILVER))],
    ),
    (
        "higher_level_gives_less",
        "/tiers/levels/1/multiplier_bp",
        rules(tiers=ladder(SILVER | {"multiplier_bp": 12500}, GOLD | {"multiplier_bp": 12499})),
        [rules(tiers=ladder(SILVER | {"multiplier_bp": 12500}, GOLD | {"multiplier_bp": 12500}))],
    ),
    (
        "higher_level_gives_less",
        "/tiers/levels/1",
        rules(tiers=ladder(SILVER | {"perks": [{"key": "free"}]}, GOLD)),
        [
            rules(
                tiers=ladder(
                    SILVER | {"perks": [{"key": "free"}]},
                    GOLD | {"perks": [{"key": "x"}, {"key": "free"}]},
                )
            )
        ],
    ),
    (
        "entry_effect_lifts",
        "/tiers/levels/0/entry_effects/0/points",
        rules(tiers=ladder(SILVER | {"entry_effects": [add(10000)]})),
        [rules(tiers=ladder(SILVER | {"entry_effects": [add(9999)]}))],
    ),
    (
        "entry_effect_lifts",
        "/tiers/levels/0/entry_effects/0/points",
        rules(
            tiers=ladder({"key": "one", "enter_at": 300, "entry_effects": [add(300)]}, **BY_POINTS)
        ),
        [
            rules(
                tiers=ladder(
                    {"key": "one", "enter_at": 300, "entry_effects": [add(299)]}, **BY_POINTS
                )
            )
        ],
    ),
    (
        "shorter_than_pending",
        "/points/0/expiry/duration",
        document(
            points=[
                {
                    "key": "points",
                    "pending": {"policy": "after", "duration": "P30D"},
                    "expiry": {"policy": "after", "duration": "P29D"},
                }
            ]
        ),
        [
            document(
                points=[
                    {
                        "key": "points",
                        "pending": {"policy": "after", "duration": "P30D"},
                        "expiry": {"policy": "after", "duration": "P1M"},
                    }
                ]
            )
        ],
    ),
    (
        "notice_too_early",
        "/points/0/expiry/notify/0",
        document(
            points=[
                {
                    "key": "points",
                    "expiry": {"policy": "after", "duration": "P7D", "notify": ["P30D", "P1D"]},
                }
            ]
        ),
        [
            document(
                points=[
                    {
                        "key": "points",
                        "expiry": {"policy": "after", "duration": "P7D", "notify": ["P7D"]},
                    }
                ]
            )
        ],
    ),
    (
        "points_worth_nothing",
        "/points/0/value/minor",
        document(points=[{"key": "points", "value": {"points": 1, "minor": 0}}]),
        [document(points=[{"key": "points", "value": {"points": 100, "minor": 1}}])],
    ),
    (
        "gives_back_too_much",
        "/earning/rules/0/effect/points",
        document(earning={"rules": [rule("base", per_euro(50))]}),
        [
            document(earning={"rules": [rule("base", per_euro(49))]}),
            document(
                earning={"rules": [rule("base", per_euro(50))]},
                points=[{"key": "points", "value": {"points": 2, "minor": 1}}],
            ),
        ],
    ),
    (
        "no_stamps",
        "/cards/0",
        rules(cards=[{"key": "coffee", "stamps": 10, "effects": [add(5)]}]),
        [
            rules(
                rule("s", {"do": "add_stamps", "card": "coffee", "stamps": 1}),
                cards=[{"key": "coffee", "stamps": 10, "effects": [add(5)]}],
            )
        ],
    ),
]
