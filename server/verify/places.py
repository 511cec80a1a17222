"""Proof of places: whoever is one of the members that a surprise counts in a day is counted once,
in the counter of that day. That the counters are the sums of their claims is proved with limits.
"""

from collections.abc import Sequence
from typing import Any

from core import clock
from loyalty.limits.storing import read_counters
from programs.surprises import PLACE_PREFIX
from server.verify.rows import Report

#: The longest local day: when clocks are set back.
_DAY = 25 * 3600 * clock.SECOND


def check(report: Report, claims: Sequence[Any]) -> list[Any]:
    """Prove the claims of places among those of one source; the others."""
    others: list[Any] = []
    for one in claims:
        if not one.rule.startswith(PLACE_PREFIX):
            others.append(one)
            continue
        counters = read_counters(one.counters)
        is_counted = [
            counter.rule == one.rule
            and (counter.period, counter.unit) == ("day", "times")
            and counter.starts_at <= one.at < counter.starts_at + _DAY
            for counter in counters
        ]
        if is_counted != [True] or (one.times, one.points, one.wanted) != (1, 0, 0):
            place = ("mem", bytes(one.member_id), f" {one.rule} of {bytes(one.source_id).hex()}")
            stored = f"{one.times} times, {one.points} of {one.wanted} points in {one.counters}"
            report.note("limit_claims", place, "claim", stored, "one place of its day")
    return others
