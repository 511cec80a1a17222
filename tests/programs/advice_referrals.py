"""Documents whose referral offers must have a warning, with those that are near and must have
none."""

from typing import Any

from tests.world import document

AT = "/referral_offers/0"
_POINTS = [{"do": "add_points", "points": 500}]


def offering(**fields: Any) -> dict[str, Any]:
    """A document with an offer that has no warning, changed."""
    offer = {
        "key": "friends",
        "landing_url": "https://shop.example/welcome",
        "advocate": _POINTS,
        "friend": _POINTS,
        "hold": "P14D",
    } | fields
    return document(referral_offers=[offer])


OF_REFERRALS: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "offer_leads_nowhere",
        f"{AT}/landing_url",
        document(
            referral_offers=[
                {"key": "friends", "advocate": _POINTS, "friend": _POINTS, "hold": "P14D"}
            ]
        ),
        [offering(), document(referral_offers=[{"key": "friends", "state": "paused"}])],
    ),
    (
        "offer_brings_nothing",
        f"{AT}/advocate",
        offering(advocate=[]),
        [offering(), offering(advocate=[], milestones=[{"at": 3, "effects": _POINTS}])],
    ),
    ("offer_brings_nothing", f"{AT}/friend", offering(friend=[]), [offering()]),
    (
        "offer_without_end",
        f"{AT}/caps",
        offering(qualifies={"trigger": "signup"}),
        [
            offering(),
            offering(qualifies={"trigger": "signup"}, caps=[{"times": 5}]),
            offering(qualifies={"trigger": "signup"}, budget={"total": 10_000}),
        ],
    ),
    (
        "offer_without_end",
        f"{AT}/budget",
        offering(friend_at="signup"),
        [offering(), offering(friend_at="signup", budget={"total": 10_000})],
    ),
    (
        "offer_without_hold",
        f"{AT}/hold",
        document(
            referral_offers=[
                {
                    "key": "friends",
                    "landing_url": "https://shop.example/",
                    "advocate": _POINTS,
                    "friend": _POINTS,
                }
            ]
        ),
        [offering(), offering(qualifies={"trigger": "signup"}, caps=[{"times": 5}])],
    ),
    (
        "review_ends_in_payment",
        f"{AT}/review/timeout_action",
        offering(review={"timeout": "P7D"}),
        [
            offering(review={"review_at_bp": 5000}),
            offering(review={"timeout": "P7D", "timeout_action": "reject"}),
        ],
    ),
]
