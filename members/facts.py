"""Facts of a member's person that rules may ask about."""

from collections.abc import Mapping
from typing import Any

from core import clock
from rules.facts import Catalogue, Fact

_MEMBER = "the member as the storefront told it"

MEMBER = Catalogue(
    [
        Fact("member.joined_on", "date", "Day of joining, in the program's zone", _MEMBER),
        Fact("member.days_since_joined", "integer", "Days since joining", _MEMBER),
        Fact("member.is_enrolled", "boolean", "Takes part in the program", _MEMBER),
        Fact("member.locale", "text", "Preferred locale", _MEMBER),
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
