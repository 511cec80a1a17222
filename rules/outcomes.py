"""Outcomes: what became of each rule in a decision. The reason codes are a contract."""

from dataclasses import dataclass
from typing import Any, Literal

from rules.facts import instant_of

Reason = Literal[
    "not_live",
    "outside_schedule",
    "condition_not_met",
    "limit_reached",
    "capped",
    "excluded",
    "holdout",
    "cooldown",
    "budget",
    "lost",
    "no_member",
    "not_paid",
    "already_paid",
]

REASONS: dict[Reason, str] = {
    "not_live": "the rule was paused",
    "outside_schedule": "it was not in force at that time",
    "condition_not_met": "its condition was not met",
    "limit_reached": "its limit was used up",
    "capped": "its limit left less than it would have given",
    "excluded": "another of its group was better for the member, or of surprises went first",
    "holdout": "the member is of those who never get it, so that what it does can be measured",
    "cooldown": "it was too soon for it, or a birthday was told too late to be kept",
    "budget": "its budget had not enough left for its dearest prize",
    "lost": "it was drawn and not won",
    "no_member": "there was no enrolled member to earn",
    "not_paid": "what earns does not stand: it was not paid, cancelled, refunded or withdrawn",
    "already_paid": "it had been paid to this person before, or this year's was",
}


@dataclass(slots=True)
class Outcome:
    """One rule of a decision: fired, or not and why.

    One that was `capped` fired, and `withheld` points of it. `again_at` is since when the schedule
    or the limit no longer stands against it.
    """

    rule: str
    is_fired: bool
    reason: Reason | None = None
    detail: str | None = None
    withheld: int | None = None
    again_at: int | None = None

    def shown(self) -> dict[str, Any]:
        """The outcome as decisions store and show it."""
        body: dict[str, Any] = {"rule": self.rule, "is_fired": self.is_fired}
        if self.reason is not None:
            body["reason"] = self.reason
        if self.detail is not None:
            body["detail"] = self.detail
        if self.withheld is not None:
            body["withheld"] = self.withheld
        if self.again_at is not None:
            body["again_at"] = instant_of(self.again_at)
        return body
