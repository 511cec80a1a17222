"""A program once more: rules with limits and schedules, stamp cards and levels, in plain Python.

Reads the same document as the product and says what everybody must have after each step, from
A3 to A8, B9, B10, B13 and D27 to D33 alone. Owns what stands of each source and who holds which
claim. Refuses to import anything of the application: what shares its code would share its
mistakes.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.independent.program_ladder import Place, Row
from tests.independent.program_members import Member
from tests.independent.program_parts import Exact, Judged, Source, period_of
from tests.independent.program_rules import Program, exact, holds, is_in_force, no_more

#: A rule's outcome: whether it fired, why not (or "capped"), and how much was withheld.
Outcome = tuple[bool, str | None, int | None]


class Model:
    """Members and what they did, at a clock that is moved by hand."""

    def __init__(self, document: dict[str, Any], now: datetime, members: tuple[str, ...]) -> None:
        self.program = Program(document)
        self.now = now
        self.sources: dict[str, Source] = {}
        self.members = {name: Member(name, self.program, now) for name in members}
        self.numbers = Counter[str]()

    # Orders and activities

    def tell(self, told: Source) -> None:
        """Bring everything that hangs on a source to what it looks like now."""
        source = self.sources.get(told.ref)
        if source is None:
            source = self.sources[told.ref] = told.copy()
            source.number = len(self.sources)
            self._pin(source)
        elif source.member != told.member:
            self._undo(source)
            source.take_over(told)
            self._pin(source)
        else:
            source.take_over(told)
        self._decide(source)
        self._count(source)

    def _pin(self, source: Source) -> None:
        """What is held fast with the first decision for a member."""
        member = self.members[source.member]
        source.pinned_rank = member.rank_at(source.at)
        source.judged = {}

    def _undo(self, source: Source) -> None:
        """Of whom it belonged to it is gone."""
        source.stands = source.is_first = False
        source.judged, source.outcomes, source.points, source.stamps = {}, {}, 0, Counter()
        self._count(source)

    def _count(self, source: Source) -> None:
        member = self.members[source.member]
        row = None
        if source.stands and (source.kind == "order" or source.qualifying):
            is_order = source.kind == "order"
            row = Row(source.at, source.net if is_order else 0, source.qualifying, int(is_order))
        member.points_of[source.ref] = source.points
        member.count(source.ref, row, now=self.now)
        for card in self.program.cards:
            stamps = source.stamps[card["key"]]
            member.cards[card["key"]].mark(source.number, source.at, stamps, now=self.now)

    # Deciding

    def _decide(self, source: Source) -> None:
        was_standing, source.stands = source.stands, source.is_told_to_stand
        source.is_first = source.stands and (
            source.is_first if was_standing else not self._first_is_taken(source)
        )
        was = source.judged if was_standing else {}
        source.judged, source.outcomes, source.stamps = {}, {}, Counter()
        amounts: list[Exact] = []
        fixed: list[Exact] = []
        qualifying: list[Exact] = []
        for rule in self.program.rules_of(source.trigger):
            outcome, points = self._apply(rule, source, was.get(rule["key"]))
            source.outcomes[rule["key"]] = outcome
            effect = rule["effect"]
            if effect["do"] == "add_stamps":
                source.stamps[effect["card"]] += effect["stamps"] * outcome[0]
                continue
            is_amount = effect["do"] == "points_per_amount"
            (amounts if is_amount else fixed).append(points)
            if effect.get("counts_for_tier", is_amount):
                qualifying.append(points)
        factor = self.program.factor(source.pinned_rank if source.kind == "order" else 0)
        # One rounding, at the end (A1), and the tier's multiplier on what came by amount.
        source.points = int(sum(amounts) * factor + sum(fixed))
        source.qualifying = int(sum(qualifying))

    def _first_is_taken(self, source: Source) -> bool:
        return source.kind != "order" or any(
            one.is_first for one in self._of(source.member) if one is not source
        )

    def _of(self, member: str | None) -> Iterator[Source]:
        return (one for one in self.sources.values() if member in (None, one.member))

    def _apply(
        self, rule: dict[str, Any], source: Source, was: Judged | None
    ) -> tuple[Outcome, Exact]:
        """Whether a rule gives anything to a source, and how much."""
        key = rule["key"]
        if not source.stands:
            return (False, "not_paid", None), 0
        if not is_in_force(rule.get("schedule"), source.at, self.program.zone):
            return (False, "outside_schedule", None), 0
        if not holds(rule, source, self.program.ladder.key(source.pinned_rank)):
            return (False, "condition_not_met", None), 0
        wanted = exact(rule, source)
        if not rule.get("limits"):
            return (True, None, None), wanted
        left = was.left if was and no_more(was.wanted, wanted) else self._room(rule, source, was)
        for limit in rule["limits"]:
            if limit["per"] == "order":
                left = min(limit["points"], limit["points"] if left is None else left)
        is_capped = left is not None and wanted > left
        given = left if is_capped and left is not None else wanted
        source.judged[key] = Judged(wanted, left if is_capped else None, given)
        if not given:
            return (False, "limit_reached", None), 0
        if is_capped and int(wanted - given):
            return (True, "capped", int(wanted - given)), given
        return (True, None, None), given

    def _room(self, rule: dict[str, Any], source: Source, was: Judged | None) -> int | None:
        """What the others leave of a rule's limits; what is its own stays its own."""
        lefts = []
        for limit in (one for one in rule["limits"] if one["per"] != "order"):
            period = period_of(limit["period"], source.at, self.program.zone)
            claims = [
                one.judged[rule["key"]].given
                for one in self._of(source.member if limit["per"] == "member" else None)
                if one is not source
                and rule["key"] in one.judged
                and one.judged[rule["key"]].given
                and period_of(limit["period"], one.at, self.program.zone) == period
            ]
            own = int(was.given) if was else 0
            if "points" in limit:
                lefts.append(max(own, limit["points"] - int(sum(claims)), 0))
            elif not own and len(claims) >= limit["times"]:
                lefts.append(0)
        return min(lefts, default=None)

    # Everything else that happens

    def give_level(self, name: str, key: str | None, until: datetime | None) -> None:
        """A level by hand until an end, or none from now on."""
        self.members[name].give(key, until, now=self.now)

    def adjust(self, name: str, points: int) -> None:
        """Points by hand."""
        self.members[name].adjusted += points

    def move(self, to: datetime) -> None:
        """Time passes."""
        self.now = to
        for member in self.members.values():
            member.pass_time(to)

    def check(self) -> None:
        """What must be so whatever happened: no limit is ever exceeded."""
        for rule in self.program.document["earning"]["rules"]:
            for limit in (one for one in rule.get("limits", []) if one["per"] != "order"):
                used = Counter[Any]()
                for one in self.sources.values():
                    judged = one.judged.get(rule["key"])
                    if judged and judged.given:
                        whose = one.member if limit["per"] == "member" else None
                        period = period_of(limit["period"], one.at, self.program.zone)
                        used[whose, period] += int(judged.given) if "points" in limit else 1
                most = limit.get("points") or limit["times"]
                assert max(used.values(), default=0) <= most, (rule["key"], used)

    def place(self, name: str) -> tuple[Place, bool]:
        """Where a member is seen to stand, and whether by hand."""
        return self.members[name].shown(self.now)
