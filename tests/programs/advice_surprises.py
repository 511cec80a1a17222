"""Documents whose surprises must have a warning, with those that are near and must have none."""

from typing import Any

from tests.world import document

AT = "/surprises/0"
_NOTE = {"en": "Thank you!", "ko": "감사합니다!"}
_OFTEN = [{"per": "member", "period": "month", "times": 1}]


def prize(points: int = 500, **more: Any) -> dict[str, Any]:
    """A prize of points."""
    return {"effects": [{"do": "add_points", "points": points}], "note": _NOTE} | more


def surprising(*others: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A document of two locales with a surprise that has no warning, changed, and others."""
    one = {"key": "luck", "prizes": [prize()], "probability_ppm": 100_000, "limits": _OFTEN}
    return document(locales=["en", "ko"], surprises=[one | fields, *others])


def other(group: str, **more: Any) -> dict[str, Any]:
    """Another one, of a group."""
    return {"key": "other", "prizes": [prize()], "limits": _OFTEN, "group": group} | more


def granting(**reward: Any) -> dict[str, Any]:
    """A document whose surprise grants a reward."""
    item = {"key": "mug", "kind": "free_product", "value": {"sku": "MUG"}} | reward
    prizes = [{"effects": [{"do": "grant_reward", "reward": "mug"}], "note": _NOTE}]
    return surprising(prizes=prizes) | {"rewards": [item]}


_UNBOUNDED: dict[str, Any] = {"limits": [], "probability_ppm": 1_000_000}
_SOME = {"fact": "order.net_minor", "op": ">=", "value": 10_000}
_NONE = {"all": [_SOME, {"fact": "order.net_minor", "op": "<", "value": 5_000}]}
_BUDGET = {"unit": "points", "total": 10_000}

OF_SURPRISES: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "surprise_never_won",
        f"{AT}/probability_ppm",
        surprising(probability_ppm=0),
        [
            surprising(),
            surprising(probability_ppm=0, pity_after=9),
            surprising(probability_ppm=0, state="paused"),
        ],
    ),
    (
        "surprise_without_end",
        AT,
        surprising(**_UNBOUNDED),
        [
            surprising(),
            surprising(**_UNBOUNDED, when=_SOME),
            surprising(**_UNBOUNDED, trigger="signup"),
            surprising(**_UNBOUNDED, cooldown="P30D"),
            surprising(**_UNBOUNDED, budget=_BUDGET),
            surprising(limits=[]),
        ],
    ),
    (
        "pity_without_bound",
        f"{AT}/pity_after",
        surprising(pity_after=5, limits=[]),
        [surprising(pity_after=5), surprising(pity_after=5, limits=[], budget=_BUDGET)],
    ),
    (
        "budget_below_prize",
        f"{AT}/budget/total",
        surprising(budget={"total": 499}),
        [surprising(budget={"total": 500}), surprising(budget={"unit": "minor", "total": 1})],
    ),
    (
        "budget_below_prize",
        f"{AT}/budget/per_day",
        surprising(
            prizes=[prize(5), prize(estimated_cost_minor=900)],
            budget={"unit": "minor", "total": 9_000, "per_day": 899},
        ),
        [
            surprising(
                prizes=[prize(5), prize(estimated_cost_minor=900)],
                budget={"unit": "minor", "total": 9_000, "per_day": 900},
            )
        ],
    ),
    (
        "holdout_too_small",
        f"{AT}/holdout_bp",
        surprising(holdout_bp=99),
        [surprising(holdout_bp=100), surprising(holdout_bp=0)],
    ),
    (
        "holdout_too_small",
        "/holdout_bp",
        surprising() | {"holdout_bp": 1},
        [surprising() | {"holdout_bp": 500}],
    ),
    (
        "lone_group",
        f"{AT}/group",
        surprising(other("lucky"), group="luck"),
        [surprising(other("luck"), group="luck"), surprising(other("luck", state="paused"))],
    ),
    (
        "lone_group",
        "/surprises/1/group",
        surprising(other("luck"), group="luck", state="paused"),
        [surprising()],
    ),
    (
        "note_lacks_locale",
        f"{AT}/prizes/1/note",
        surprising(prizes=[prize(), prize(note={"en": "Thank you!"})]),
        [
            surprising(prizes=[prize(note={"en-GB": "Thanks!", "ko": "감사합니다!"})]),
            surprising(prizes=[{"effects": [{"do": "add_points", "points": 5}]}]),
        ],
    ),
    (
        "gift_not_to_be_had",
        f"{AT}/prizes/0/effects/0/reward",
        granting(stock=0),
        [granting(), granting(stock=3)],
    ),
    (
        "gift_not_to_be_had",
        f"{AT}/prizes/0/effects/0/reward",
        granting(state="paused"),
        [granting()],
    ),
    # A reward that only surprises grant is somebody's.
    (
        "reward_for_nobody",
        "/rewards/0",
        granting() | {"surprises": []},
        [granting()],
    ),
    # What holds of every rule by itself.
    ("rule_never_fires", f"{AT}/when", surprising(when=_NONE), [surprising(when=_SOME)]),
    (
        "schedule_over",
        f"{AT}/schedule/ends_at",
        surprising(schedule={"ends_at": "2026-05-01T00:00:00Z"}),
        [surprising(schedule={"ends_at": "2026-07-01T00:00:00Z"})],
    ),
    # A program of surprises alone gives something.
    (
        "nothing_earns",
        "/earning/rules",
        surprising(state="paused") | {"earning": {"rules": []}},
        [surprising() | {"earning": {"rules": []}}],
    ),
]
