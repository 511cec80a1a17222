"""Documents whose rules must have a warning, each with those that are near and must have none."""

from typing import Any

from tests.world import document, per_euro, rule


def more(minor: int, op: str = ">=") -> dict[str, Any]:
    return {"fact": "order.net_minor", "op": op, "value": minor}


def tier(key: Any, op: str = "=") -> dict[str, Any]:
    return {"fact": "member.tier", "op": op, "value": key}


def add(points: int, **fields: Any) -> dict[str, Any]:
    return {"do": "add_points", "points": points} | fields


def times(factor_bp: int, **fields: Any) -> dict[str, Any]:
    return {"do": "multiply_points", "factor_bp": factor_bp} | fields


def grouped(key: str, effect: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return rule(key, effect, stacking={"mode": "exclusive", "group": "g"}, **fields)


def rules(*items: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return document(earning={"rules": [rule("base", per_euro()), *items]}, **sections)


def ladder(*levels: dict[str, Any], **tiers: Any) -> dict[str, Any]:
    return {"levels": list(levels)} | tiers


SILVER, GOLD = {"key": "silver", "enter_at": 10000}, {"key": "gold", "enter_at": 50000}
LADDER = {"tiers": ladder(SILVER, GOLD)}
BY_POINTS = {"basis": {"metric": "points"}}


RULE = "/earning/rules/1"
#: Documents that must have a warning, each with those that are near and must have none.
OF_RULES: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "nothing_earns",
        "/earning/rules",
        document(earning={"rules": [rule("base", per_euro(), state="paused")]}),
        [document()],
    ),
    (
        "rule_never_fires",
        f"{RULE}/when",
        rules(rule("a", add(5), when={"all": [more(10000), more(5000, "<")]})),
        [
            rules(rule("a", add(5), when={"any": [more(10000), more(5000, "<")]})),
            rules(rule("a", add(5), when={"all": [more(5000), more(5000, "<=")]})),
        ],
    ),
    (
        "rule_never_fires",
        f"{RULE}/when",
        rules(rule("a", add(5), when=more(0, "<"))),
        [rules(rule("a", add(5), when=more(0, "<=")))],
    ),
    (
        "rule_never_fires",
        f"{RULE}/when",
        rules(rule("a", add(5), when={"not": {"any": [{"not": more(9, "<")}, {"not": more(9)}]}})),
        # Neither comparison holds where the fact is missing, so their `not` does.
        [
            rules(
                rule("a", add(5), when={"not": {"any": [tier("gold"), tier("gold", "!=")]}}),
                **LADDER,
            )
        ],
    ),
    (
        "rule_never_fires",
        f"{RULE}/effect/lines/when",
        rules(
            rule(
                "a",
                times(
                    20000,
                    lines={
                        "when": {
                            "all": [
                                {"fact": "line.sku", "op": "=", "value": "MUG"},
                                {"fact": "line.sku", "op": "in", "value": ["CUP", "PAN"]},
                            ]
                        }
                    },
                ),
            )
        ),
        [],
    ),
    (
        "schedule_never_opens",
        f"{RULE}/schedule",
        rules(
            rule(
                "a",
                add(5),
                schedule={  # Monday to Wednesday in Seoul.
                    "starts_at": "2026-06-07T15:00:00Z",
                    "ends_at": "2026-06-10T15:00:00Z",
                    "weekdays": [6, 7],
                },
            )
        ),
        [
            rules(
                rule(
                    "a",
                    add(5),
                    schedule={
                        "starts_at": "2026-06-07T14:59:59Z",  # The last second of a Sunday.
                        "ends_at": "2026-06-10T15:00:00Z",
                        "weekdays": [6, 7],
                    },
                )
            )
        ],
    ),
    (
        "schedule_over",
        f"{RULE}/schedule/ends_at",
        rules(rule("a", add(5), schedule={"ends_at": "2026-06-01T00:00:00Z"})),
        [rules(rule("a", add(5), schedule={"ends_at": "2026-06-01T00:00:01Z"}))],
    ),
    (
        "open_ended_hours",
        f"{RULE}/schedule/from",
        rules(rule("a", add(5), schedule={"from": "14:00"})),
        [
            rules(rule("a", add(5), schedule={"from": "14:00", "until": "24:00"})),
            rules(rule("a", add(5), schedule={"from": "22:00", "until": "02:00"})),
            rules(rule("a", add(5), schedule={"until": "14:00"})),
        ],
    ),
    (
        "unknown_tier",
        f"{RULE}/when/all/1/value",
        rules(rule("a", add(5), when={"all": [more(1), tier("glod")]}), **LADDER),
        [rules(rule("a", add(5), when={"all": [more(1), tier("gold")]}), **LADDER)],
    ),
    (
        "unknown_tier",
        f"{RULE}/when/value/1",
        rules(rule("a", add(5), when=tier(["gold", "bronze"], "in")), **LADDER),
        [],
    ),
    (
        "paused_tier",
        f"{RULE}/when/value",
        rules(
            rule("a", add(5), when=tier("gold")),
            tiers=ladder(SILVER, GOLD | {"state": "paused"}),
        ),
        [],
    ),
    (
        "unknown_activity",
        f"{RULE}/trigger",
        rules(
            {"key": "a", "trigger": "activity:reveiw", "effect": add(5)},
            activities=[{"key": "review"}],
        ),
        [
            rules(
                {"key": "a", "trigger": "activity:review", "effect": add(5)},
                activities=[{"key": "review"}],
            ),
            rules(
                {"key": "a", "trigger": "activity:visit", "effect": add(5)},
                activities=[{"key": "review"}],
            ),
            rules({"key": "a", "trigger": "activity:reveiw", "effect": add(5)}),
        ],
    ),
    (
        "never_wins",
        "/earning/rules/2",
        rules(
            grouped("all", times(30000)), grouped("gold", times(20000), when=more(5000), priority=1)
        ),
        [
            # As much, and first.
            rules(
                grouped("all", times(30000)),
                grouped("gold", times(30000), when=more(5000), priority=-1),
            ),
            rules(
                grouped("all", times(30000), when=more(6000)),
                grouped("gold", times(20000), when=more(5000), priority=1),
            ),
            rules(
                grouped(
                    "all", times(30000), limits=[{"per": "member", "period": "day", "times": 1}]
                ),
                grouped("gold", times(20000), when=more(5000), priority=1),
            ),
        ],
    ),
    (
        "overlapping_exclusives",
        "/earning/rules/2",
        rules(
            grouped("a", times(20000), when=more(5000)),
            grouped("b", times(20000), when=more(9000, "<")),
        ),
        [
            rules(
                grouped("a", times(20000), when=more(9000)),
                grouped("b", times(20000), when=more(9000, "<")),
            ),
            rules(
                grouped("a", times(20000), when=more(5000)),
                grouped("b", times(20000), when=more(9000, "<"), priority=1),
            ),
            rules(
                grouped("a", times(20000), when=more(5000)),
                grouped("b", times(20001), when=more(9000, "<")),
            ),
        ],
    ),
    (
        "cap_below_award",
        f"{RULE}/limits/0/points",
        rules(rule("a", add(500), limits=[{"per": "member", "period": "day", "points": 499}])),
        [rules(rule("a", add(500), limits=[{"per": "member", "period": "day", "points": 500}]))],
    ),
    (
        "limit_longer_than_schedule",
        f"{RULE}/limits/0/period",
        rules(
            rule(
                "a",
                add(5),
                schedule={"starts_at": "2026-06-06T00:00:00Z", "ends_at": "2026-06-09T00:00:00Z"},
                limits=[{"per": "member", "period": "week", "times": 1}],
            )
        ),
        [
            rules(
                rule(
                    "a",
                    add(5),
                    schedule={
                        "starts_at": "2026-06-06T00:00:00Z",
                        "ends_at": "2026-06-09T00:00:00Z",
                    },
                    limits=[{"per": "member", "period": period, "times": 1}],
                )
            )
            for period in ("day", "ever")
        ],
    ),
    (
        "duplicate_rule",
        RULE,
        rules(rule("base-2", per_euro(), priority=3)),
        [rules(rule("base-2", per_euro(2))), rules(rule("base-2", per_euro(), state="paused"))],
    ),
    (
        "nothing_to_multiply",
        "/earning/rules/1/effect",
        document(earning={"rules": [rule("fixed", add(5)), rule("a", times(20000))]}),
        [rules(rule("a", times(20000)))],
    ),
]
