"""Held: a member's stamps on one card, and the claims on its completions.

Pure. The completions that stand are always the first ones by number, so the newest goes first and
comes back first. A stamp more never takes a completion back, a stamp less never claims one, even
where a late stamp moves the dates between which others count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from core import ids
from loyalty.cards import folding
from loyalty.cards.folding import Folded, Mark, Terms
from programs.cards import Card
from programs.compiled import Compiled


@dataclass(slots=True)
class Completion:
    """One claim. `decision_id` is of the decision that last paid it or took it back; `pinned` the
    version and the member's facts of the first one, where this unit knows them."""

    id: bytes
    number: int
    terms: Terms
    stands: bool
    completed_at: int
    recorded_at: int
    decision_id: bytes | None = None
    pinned: tuple[Compiled, Mapping[str, Any]] | None = None


@dataclass(slots=True)
class HeldCard:
    """The stamps on a card by their source, and its completions by number."""

    marks: dict[bytes, Mark] = field(default_factory=dict)
    completions: list[Completion] = field(default_factory=list)

    @property
    def standing(self) -> int:
        """How many completions stand."""
        return sum(one.stands for one in self.completions)

    def terms_of(self, number: int, card: Card | None) -> Terms | None:
        """The terms of the `number`th card: frozen with its completion, else the live ones."""
        if number <= len(self.completions):
            return self.completions[number - 1].terms
        if card is None or (number > 1 and not card.repeats):
            return None
        return folding.of_card(card)

    def fold(self, card: Card | None, *, zone: ZoneInfo, at: int) -> Folded:
        """How full the card is as of an instant."""
        return folding.fold(
            self.marks.values(), lambda number: self.terms_of(number, card), zone=zone, at=at
        )

    def mark(self, mark: Mark, card: Card | None, *, zone: ZoneInfo, now: int) -> list[Completion]:
        """Bring the stamps of a source to what they are now; the completions that stand since, or
        no longer, in the order in which they changed."""
        before = self.marks.get(mark.source_id)
        self.marks[mark.source_id] = mark
        is_moved = before is not None and before.at != mark.at
        change = mark.stamps - (before.stamps if before is not None else 0)
        deserved = self.fold(card, zone=zone, at=now).completed_at
        if len(deserved) > self.standing and (change > 0 or is_moved):
            return self._claim(deserved, card, since=mark.at, now=now)
        if len(deserved) < self.standing and (change < 0 or is_moved):
            return self._give_back(len(deserved))
        return []

    def fill(self, card: Card | None, *, zone: ZoneInfo, now: int) -> list[Completion]:
        """Complete now what no stamp of its own completes: the stamps of two members together."""
        deserved = self.fold(card, zone=zone, at=now).completed_at
        if len(deserved) <= self.standing:
            return []
        return self._claim(deserved, card, since=now, now=now)

    def _claim(
        self, deserved: list[int], card: Card | None, *, since: int, now: int
    ) -> list[Completion]:
        changed = []
        for number in range(self.standing + 1, len(deserved) + 1):
            if number <= len(self.completions):
                completion = self.completions[number - 1]
                completion.stands = True
            else:
                terms = self.terms_of(number, card)
                assert terms is not None, "a completion is deserved under the terms of some card"
                # Never before the stamp that made it count: a card may have become smaller.
                completed_at = min(max(deserved[number - 1], since), now)
                completion = Completion(ids.new_id(), number, terms, True, completed_at, now)
                self.completions.append(completion)
            changed.append(completion)
        return changed

    def _give_back(self, deserved: int) -> list[Completion]:
        changed = []
        for number in range(self.standing, deserved, -1):
            completion = self.completions[number - 1]
            completion.stands = False
            changed.append(completion)
        return changed

    def unite(self, gone: "HeldCard") -> None:
        """Take over the stamps and the claims of another card: what was completed counts as
        given, once each. Of a source that passed between the two, what stands counts."""
        for source_id, mark in gone.marks.items():
            own = self.marks.get(source_id)
            if own is None or own.stamps < mark.stamps:
                self.marks[source_id] = mark
        self.completions += gone.completions
        self.completions.sort(key=lambda one: (not one.stands, one.completed_at, one.id))
        for number, completion in enumerate(self.completions, start=1):
            completion.number = number
