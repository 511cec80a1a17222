"""The ledger once more: one kind of points, in memory, a list of lots for each member.

Owns what every balance and every lot must be after a step, written from the requirements alone
(B9 to B15, C16 to C26) and for reading, not for speed. Refuses to import anything of the
application: what shares its code would share its mistakes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tests.independent.ledger_terms import Award, Hold, HoldState, Lot, Take, Terms


class RefusedError(Exception):
    """A step that the ledger must refuse: the problem's code, and what was available."""

    def __init__(self, code: str, available: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.available = available


class Ledger:
    """Members' lots under one set of terms, at a clock that is moved by hand."""

    def __init__(self, terms: Terms, now: datetime) -> None:
        self.terms = terms
        self.now = now
        self.lots: list[Lot] = []
        self.deficits: Counter[str] = Counter()
        self.awards: dict[str, Award] = {}
        self.holds: dict[str, Hold] = {}
        #: What ever went into a member's points and out of them again, by cause.
        self.totals: dict[str, Counter[str]] = {}

    def available(self, member: str) -> int:
        """The free parts of the active lots less the deficit."""
        return sum(lot.free for lot in self.of(member)) - self.deficits[member]

    def pending(self, member: str) -> int:
        """Points that wait for their availability."""
        return sum(lot.pending for lot in self.of(member))

    def held(self, member: str) -> int:
        """Points reserved by open holds."""
        return sum(lot.held for lot in self.of(member))

    def of(self, member: str) -> list[Lot]:
        """The member's lots in the order in which they are spent."""
        return sorted((lot for lot in self.lots if lot.member == member), key=lambda lot: lot.turn)

    def tell(self, ref: str, member: str, *, deserved: int, paid_at: datetime) -> None:
        """Bring what stands for an order to what it deserves now (B9, B13)."""
        award = self.awards.setdefault(ref, Award(member))
        if deserved < award.standing:
            self._claw_back(award, award.standing - deserved)
        elif deserved > award.standing:
            self._give_back(award, deserved - award.standing, paid_at)

    def _claw_back(self, award: Award, points: int) -> None:
        """What is pending of it, what is free of it; what expired of it is gone; what was spent
        of it comes from other lots (B11, B12), at last out of nothing or not at all."""
        is_taking = self.terms.returns != "only_pending"
        missing = points
        for lot in award.lots[::-1]:
            part = min(missing, lot.pending)
            lot.pending -= part
            missing -= self._taken(award, award.own, Take(lot, part))
        for lot in award.lots[::-1] if is_taking else []:
            missing -= self._take_free(award, award.own, lot, missing)
        gone = min(missing, sum(lot.expired for lot in award.lots) - award.lapsed)
        award.lapsed += gone
        missing -= gone
        for lot in self.of(award.member) if is_taking else []:
            missing -= self._take_free(award, award.others, lot, missing)
        if self.terms.returns == "unlimited":
            award.overdrawn += missing
            self.deficits[award.member] += missing
            self._count(award.member, "clawed_back", missing)
        else:
            award.owed += missing

    def _take_free(self, award: Award, notes: list[Take], lot: Lot, points: int) -> int:
        part = min(points, lot.free)
        lot.free -= part
        return self._taken(award, notes, Take(lot, part))

    def _taken(self, award: Award, notes: list[Take], take: Take) -> int:
        if take.points:
            notes.append(take)
            self._count(award.member, "clawed_back", take.points)
        return take.points

    def _give_back(self, award: Award, points: int, paid_at: datetime) -> None:
        """The claw-back in reverse; what is more than was ever awarded makes a new lot."""
        cancelled = min(points, award.owed)
        award.owed -= cancelled
        points -= cancelled
        from_nothing = min(points, award.overdrawn)
        award.overdrawn -= from_nothing
        points -= from_nothing
        restored = [Take(award.lots[-1], from_nothing)] if from_nothing else []
        points -= self._undo(award.others, points, restored)
        cancelled = min(points, award.lapsed)
        award.lapsed -= cancelled
        points -= cancelled
        points -= self._undo(award.own, points, restored)
        self._come_back(award.member, restored, "restored")
        if points:
            available_at = self.terms.available_at(paid_at)
            lot = self._new_lot(
                award.member,
                points,
                earned_at=paid_at,
                available_at=available_at,
                expires_at=self.terms.expires_at(available_at),
            )
            lot.award = award
            award.lots.append(lot)
            self._credit(award.member, [Take(lot, points)], "earned")

    @staticmethod
    def _undo(notes: list[Take], points: int, restored: list[Take]) -> int:
        """The last that was taken comes back first; how many."""
        left = points
        while left and notes:
            last = notes[-1]
            part = min(left, last.points)
            restored.append(Take(last.lot, part))
            last.points -= part
            left -= part
            if not last.points:
                notes.pop()
        return points - left

    def hold(self, key: str, member: str, points: int, *, seconds: int | None) -> None:
        """Reserve points for so many seconds, or until somebody ends it."""
        takes = self._take(member, points)
        for take in takes:
            take.lot.held += take.points
        expires_at = None if seconds is None else self.now + timedelta(seconds=seconds)
        self.holds[key] = Hold(member, takes, expires_at)

    def capture(self, key: str) -> None:
        """The held points are spent; again is the same, after another end refused."""
        hold = self.holds[key]
        if self._is_to_end(hold, "captured"):
            self._unhold(hold)
            self._count(hold.member, "spent", sum(take.points for take in hold.takes))

    def release(self, key: str) -> None:
        """The held points go back to their lots; again is the same, after another end refused."""
        hold = self.holds[key]
        if self._is_to_end(hold, "released"):
            self._unhold(hold)
            self._come_back(hold.member, hold.takes)

    def reverse(self, key: str) -> None:
        """What was captured goes back to the same lots and dates (C20, policy strict)."""
        hold = self.holds[key]
        if hold.state == "reversed":
            return
        if hold.state != "captured":
            raise RefusedError("state_conflict")
        hold.state = "reversed"
        self._come_back(hold.member, hold.takes, "unspent")

    def _is_to_end(self, hold: Hold, end: HoldState) -> bool:
        if hold.state not in ("held", end):
            raise RefusedError("state_conflict")
        was_open = hold.state == "held"
        hold.state = end
        return was_open

    def _come_back(self, member: str, takes: Sequence[Take], cause: str | None = None) -> None:
        """To their lots, whatever they had left for. What is owed for them is taken at once, so
        that neither holding nor spending points across a refund keeps any of them."""
        self._put(member, takes, cause)
        # Elsewhere nothing is written off, or nothing free is taken, or money was taken instead.
        if self.terms.returns == "within_balance":
            for take in takes:
                self._collect(take)
        self._expire(self.of(member))

    def _collect(self, back: Take) -> None:
        """The debt of the award that the points are of; then of those whose points were taken for
        it, as many as were; then of those whose points were taken for these, and so on: each would
        have the points that it lent, had the ones that come back been there all along."""
        lot, left = back.lot, back.points
        passed: Counter[tuple[Award, Award]] = Counter()
        while left and lot.award and (way := lot.award.nearest_debt(passed)):
            debtor, steps = way[-1], list(pairwise(way))
            lent = [award.lenders[lender] - passed[award, lender] for award, lender in steps]
            notes = debtor.others if steps else debtor.own
            part = self._take_free(debtor, notes, lot, min(left, debtor.owed, *lent))
            if not part:
                return
            debtor.owed -= part
            left -= part
            passed.update(dict.fromkeys(steps, part))

    def _unhold(self, hold: Hold) -> None:
        for take in hold.takes:
            take.lot.held -= take.points

    def transfer(self, sender: str, receiver: str, points: int) -> None:
        """The receiver gets lots of the same dates (C23)."""
        received = []
        for take in self._take(sender, points):
            lot = take.lot
            copy = self._new_lot(
                receiver,
                take.points,
                earned_at=lot.earned_at,
                available_at=lot.available_at,
                expires_at=lot.expires_at,
            )
            received.append(Take(copy, take.points))
        self._count(sender, "sent", points)
        self._credit(receiver, received, "received")

    def adjust(self, member: str, points: int) -> None:
        """Points given are there at once and expire by the kind's terms from now on; points taken
        leave like any spending."""
        if points < 0:
            self._take(member, -points)
            self._count(member, "adjusted_down", -points)
            return
        expires_at = self.terms.expires_at(self.now)
        lot = self._new_lot(
            member, points, earned_at=self.now, available_at=self.now, expires_at=expires_at
        )
        self._credit(member, [Take(lot, points)], "adjusted_up")

    def move(self, to: datetime) -> None:
        """Everything falls due at its own instant, in the order of C24."""
        while (due := self.next_due(to)) is not None:
            self.now = due
            self._run_due()
        self.now = to

    def next_due(self, until: datetime) -> datetime | None:
        """The first instant up to `until` at which something activates, runs out or expires."""
        holds = [hold for hold in self.holds.values() if hold.state == "held"]
        dates = [hold.expires_at for hold in holds if hold.expires_at]
        dates += [lot.available_at for lot in self.lots if lot.pending]
        dates += [lot.expires_at for lot in self.lots if lot.free and lot.expires_at]
        return min((one for one in dates if one <= until), default=None)

    def _run_due(self) -> None:
        for lot in self.lots:
            if lot.pending and lot.available_at <= self.now:
                points, lot.pending = lot.pending, 0
                self._credit(lot.member, [Take(lot, points)])
        for hold in self.holds.values():
            if hold.state == "held" and hold.expires_at and hold.expires_at <= self.now:
                hold.state = "expired"
                self._unhold(hold)
                self._come_back(hold.member, hold.takes)
        self._expire(self.lots)

    def _take(self, member: str, points: int) -> list[Take]:
        available = self.available(member)
        if points > available:
            raise RefusedError("insufficient_points", available)
        takes = []
        for lot in self.of(member):
            part = min(points, lot.free)
            if part:
                lot.free -= part
                points -= part
                takes.append(Take(lot, part))
        assert points == 0
        return takes

    def _credit(self, member: str, takes: Iterable[Take], cause: str | None = None) -> None:
        """Points come to their lots, and expire at once if the lot's date has passed (C19)."""
        self._put(member, takes, cause)
        self._expire(self.of(member))

    def _put(self, member: str, takes: Iterable[Take], cause: str | None) -> None:
        """Pending until the lot's time, absorbed by a deficit before anybody can spend them."""
        for take in takes:
            lot = take.lot
            if lot.available_at <= self.now:
                lot.free += take.points
            else:
                lot.pending += take.points
            if cause is not None:
                self._count(member, cause, take.points)
        for lot in self.of(member):
            absorbed = min(lot.free, self.deficits[member])
            lot.free -= absorbed
            self.deficits[member] -= absorbed

    def _expire(self, lots: Sequence[Lot]) -> None:
        for lot in lots:
            if lot.free and lot.expires_at is not None and lot.expires_at <= self.now:
                self._count(lot.member, "expired", lot.free)
                lot.expired += lot.free
                lot.free = 0

    def _new_lot(
        self,
        member: str,
        points: int,
        *,
        earned_at: datetime,
        available_at: datetime,
        expires_at: datetime | None,
    ) -> Lot:
        number = len(self.lots) + 1
        lot = Lot(number, member, points, earned_at, available_at, expires_at)
        self.lots.append(lot)
        return lot

    def _count(self, member: str, cause: str, points: int) -> None:
        self.totals.setdefault(member, Counter())[cause] += points

    def check(self) -> None:
        """What must hold at any time: nothing from nowhere, nothing lost, nothing out of date."""
        for member in {lot.member for lot in self.lots}:
            seen = self.totals[member]
            into = sum(seen[c] for c in ("earned", "restored", "unspent", "received"))
            out = sum(seen[c] for c in ("clawed_back", "spent", "sent", "adjusted_down", "expired"))
            own = self.available(member) + self.pending(member) + self.held(member)
            assert own == into + seen["adjusted_up"] - out
            free = sum(lot.free for lot in self.of(member))
            assert not (free and self.deficits[member])
        for lot in self.lots:
            assert min(lot.pending, lot.free, lot.held) >= 0
            assert not (lot.pending and lot.available_at <= self.now)
            assert not (lot.free and lot.expires_at and lot.expires_at <= self.now)
        for award in self.awards.values():
            assert min(award.standing, award.overdrawn, award.owed, award.lapsed) >= 0
            assert award.lapsed <= sum(lot.expired for lot in award.lots)
