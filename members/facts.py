"""Facts of a member's person that rules may ask about."""

from collections.abc import Mapping
from typing import Any

from core import clock
from rules.facts import Catalogue, Fact, Words

_MEMBER = "the member as the storefront told it"

MEMBER = Catalogue(
    [
        Fact(
            "member.joined_on",
            "date",
            "Day of joining, in the program's zone",
            _MEMBER,
            words=Words("day of joining", "days of joining", "가입일"),
        ),
        Fact(
            "member.days_since_joined",
            "integer",
            "Days since joining",
            _MEMBER,
            words=Words("day of membership", "days of membership", "가입 후 {n}일"),
        ),
        Fact(
            "member.is_enrolled",
            "boolean",
            "Takes part in the program",
            _MEMBER,
            words=Words(
                "as a member who takes part",
                "as one who does not take part",
                "참여 회원",
                "미참여 회원",
            ),
        ),
        Fact(
            "member.locale",
            "text",
            "Preferred locale",
            _MEMBER,
            words=Words("language", "languages", "언어"),
        ),
        Fact("member.attributes.*", "attribute", "A fact of the storefront's own", _MEMBER),
    ]
)


def member_facts(
    *,
    joined_at: int,
    is_enrolled: bool,
    locale: str | None,
    attributes: Mapping[str, Any],
    at: int,
    zone: Any,
) -> dict[str, Any]:
    """The facts as of `at`; days are the program's."""
    joined = clock.local_date(joined_at, zone)
    facts: dict[str, Any] = {
        "member.joined_on": joined.isoformat(),
        "member.days_since_joined": max(0, (clock.local_date(at, zone) - joined).days),
        "member.is_enrolled": is_enrolled,
    }
    if locale is not None:
        facts["member.locale"] = locale
    for name, value in attributes.items():
        facts[f"member.attributes.{name}"] = value
    return facts
