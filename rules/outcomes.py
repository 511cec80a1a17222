"""Outcomes: what became of each rule in a decision. The reason codes are a contract."""

from dataclasses import dataclass
from typing import Any, Literal

Reason = Literal[
    "not_live",
    "condition_not_met",
    "excluded",
    "no_member",
    "not_paid",
    "already_paid",
]

REASONS: dict[Reason, str] = {
    "not_live": "the rule was paused",
    "condition_not_met": "its condition was not met",
    "excluded": "another rule of its exclusive group was better for the member",
    "no_member": "there was no enrolled member to earn",
    "not_paid": "the order was not paid, was cancelled or was wholly refunded",
    "already_paid": "it had been paid to this person before",
}


@dataclass(slots=True)
class Outcome:
    """One rule of a decision: fired, or not and why."""

    rule: str
    is_fired: bool
    reason: Reason | None = None
    detail: str | None = None

    def shown(self) -> dict[str, Any]:
        """The outcome as decisions store and show it."""
        body: dict[str, Any] = {"rule": self.rule, "is_fired": self.is_fired}
        if self.reason is not None:
            body["reason"] = self.reason
        if self.detail is not None:
            body["detail"] = self.detail
        return body
