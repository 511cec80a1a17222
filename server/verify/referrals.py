"""Proof of referrals: referrals, sides and milestones against the log, the programs that promised
them, and each other.

What a side or a milestone brought, and what it takes of limits, is proved with every other source
(`fired`); here is what only referrals know. Evidence, signals and traces are told by others and
proved by nothing.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from members.members import MEMBERS
from orders.models import Order
from referrals import milestones
from referrals.carried import MILESTONES, REFERRALS, SIDES, TRANSITIONS
from referrals.links import LINKS
from referrals.scoring import WHOLE_BP, combine
from server.verify import links, merged
from server.verify.programs import Programs
from server.verify.rows import Groups, Place, Report, side_by_side, stream

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
STATES = ("identified", "qualified", "on_hold", "in_review", "approved", "rejected", "expired")
SIDE_STATES = ("waiting", "rewarded", "capped", "clawed_back", "lost")
#: States in which the time of qualification is known, and those in which time does nothing more.
_QUALIFIED = ("on_hold", "approved")
_ENDED = ("approved", "rejected", "expired")


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Everything that referrals keep."""
    links.check(connection, program_id, report)
    whole = Groups(stream(connection, _referrals(), REFERRALS, program_id))
    sides = Groups(stream(connection, _by_referral(SIDES, "side"), SIDES, program_id))
    logs = Groups(stream(connection, _by_referral(TRANSITIONS, "number"), TRANSITIONS, program_id))
    for key in side_by_side(whole, sides, logs):
        row = next(whole.take(key), None)
        own, lines = list(sides.take(key)), list(logs.take(key))
        if row is None:
            for one in own:
                _missing(report, "referral_sides", ("rsd", one.id, ""), one)
            for line in lines:
                _missing(report, "referral_transitions", ("rtr", line.id, ""), line)
            continue
        friend_id = row.friend_id
        if row.friend_into_ is not None:
            friend_id = merged.owner(connection, row.program_id, friend_id)
        _Case(report, programs, row, own, lines, friend_id=friend_id).check()
    _check_milestones(connection, program_id, report, programs)


def _missing(report: Report, table: str, place: Place, row: Any) -> None:
    report.note(table, place, "referral_id", row.referral_id, "a referral that exists")


def _by_referral(table: sa.Table, then: str) -> sa.Select[Any]:
    """Rows of referrals, led by program and referral."""
    lead = [table.c.program_id, table.c.referral_id]
    rest = [column for column in table.columns if column not in set(lead)]
    return sa.select(*lead, *rest).order_by(*lead, table.c[then])


def _referrals() -> sa.Select[Any]:
    """Referrals with what they must agree with."""
    columns = REFERRALS.c
    friend, advocate = MEMBERS.alias("friend"), MEMBERS.alias("advocate")

    def same(table: sa.FromClause, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.program_id == columns.program_id, table.c.id == column)

    joined = (
        REFERRALS.outerjoin(friend, same(friend, columns.friend_id))
        .outerjoin(advocate, same(advocate, columns.advocate_id))
        .outerjoin(LINKS, same(LINKS, columns.link_id))
        .outerjoin(
            ORDERS,
            sa.and_(
                ORDERS.c.program_id == columns.program_id,
                ORDERS.c.order_ref == columns.order_ref,
            ),
        )
    )
    return (
        sa.select(
            columns.program_id,
            columns.id,
            *(one for one in columns if one.name not in ("program_id", "id")),
            friend.c.id.label("friend_"),
            friend.c.merged_into_id.label("friend_into_"),
            advocate.c.id.label("advocate_"),
            LINKS.c.offer_key.label("link_offer_"),
            ORDERS.c.id.label("order_"),
            ORDERS.c.member_id.label("order_member_"),
            ORDERS.c.net_minor.label("order_net_"),
            ORDERS.c.stands.label("order_stands_"),
        )
        .select_from(joined)
        .order_by(columns.program_id, columns.id)
    )


class _Case:
    """One referral with its sides and its log."""

    def __init__(
        self,
        report: Report,
        programs: Programs,
        row: Any,
        sides: Sequence[Any],
        lines: Sequence[Any],
        *,
        friend_id: bytes,
    ) -> None:
        self.report, self.programs = report, programs
        #: Who the friend is by now.
        self.friend_id = friend_id
        self.row, self.sides, self.lines = row, sides, lines
        self.place: Place = ("ref", row.id, "")

    def check(self) -> None:
        """All of it."""
        self._check_log()
        self._check_people()
        self._check_offer()
        self._check_state()
        self._check_times()
        for side in self.sides:
            self._check_side(side)

    def _note(self, column: str, stored: Any, computed: Any) -> None:
        self.report.note("referrals", self.place, column, stored, computed)

    def _check_log(self) -> None:
        """The log is numbered without a gap, each line starts where the one before it of the same
        side ended, and nothing is recorded before what is above it."""
        before: dict[str | None, str | None] = {None: None}
        recorded_at = self.row.created_at
        for number, line in enumerate(self.lines, start=1):
            place = ("ref", self.row.id, f" line {number}")
            compare = self.report.compare
            compare("referral_transitions", place, "number", line.number, number)
            expected = before.get(line.side, "waiting")
            compare("referral_transitions", place, "from_state", line.from_state, expected)
            known = STATES if line.side is None else SIDE_STATES
            if line.to_state not in known:
                computed = f"one of {', '.join(known)}"
                self.report.note("referral_transitions", place, "to_state", line.to_state, computed)
            if line.recorded_at < recorded_at:
                self.report.note(
                    "referral_transitions",
                    place,
                    "recorded_at",
                    line.recorded_at,
                    f"from {recorded_at} on",
                )
            if line.effective_at > line.recorded_at:
                self.report.note(
                    "referral_transitions",
                    place,
                    "effective_at",
                    line.effective_at,
                    f"at most {line.recorded_at}",
                )
            before[line.side], recorded_at = line.to_state, line.recorded_at
        first = next((line for line in self.lines if line.side is None), None)
        if first is None:
            self._note("state", self.row.state, "none: its log is empty")
        else:
            self.report.compare(
                "referrals", self.place, "created_at", self.row.created_at, first.recorded_at
            )

    def _last(self, side: str | None) -> Any:
        return next((line for line in reversed(self.lines) if line.side == side), None)

    def _first(self, state: str, side: str | None) -> int | None:
        """Since when a state was reached first."""
        found = (
            line.effective_at for line in self.lines if line.side == side and line.to_state == state
        )
        return next(found, None)

    def _check_people(self) -> None:
        row = self.row
        for name, found in (("friend_id", row.friend_), ("advocate_id", row.advocate_)):
            if found is None:
                self._note(name, getattr(row, name), "a member that exists")
        if row.is_bound and row.friend_id == row.advocate_id:
            self._note("advocate_id", row.advocate_id, "somebody else than the friend")
        if row.friend_into_ is not None and row.is_bound:
            self._note("is_bound", True, "False: the friend is an alias")

    def _check_offer(self) -> None:
        row = self.row
        program = self.programs.version(row.program_id, row.version, row.switches)
        if program is None:
            stored = f"{row.version} with {row.switches} switches"
            self._note("version", stored, "a published version")
        elif program.offer(row.offer_key) is None:
            self._note("offer_key", row.offer_key, "an offer of its version")
        if row.link_id is not None and row.link_offer_ != row.offer_key:
            stored = ids.show_id("lnk", row.link_id)
            self._note("link_id", stored, f"a link of {row.offer_key}")

    def _check_state(self) -> None:
        row, last = self.row, self._last(None)
        if row.state not in STATES:
            self._note("state", row.state, f"one of {', '.join(STATES)}")
        if last is not None:
            for name, value in (("state", last.to_state), ("reason", last.reason)):
                self.report.compare("referrals", self.place, name, getattr(row, name), value)
        if row.stands and row.state != "approved":
            self._note("stands", True, f"False while {row.state}")
        if not row.is_bound and row.state != "rejected":
            self._note("is_bound", False, f"True while {row.state}")
        if row.order_ref is not None and row.stands:
            self._check_order()
        self._check_evidence()

    def _check_evidence(self) -> None:
        """It was brought as the evidence that won says, and its score is that of its signals."""
        row = self.row
        parsed: dict[str, Any] = {}
        for name in ("evidence", "signals", "approvals"):
            try:
                parsed[name] = jsontext.parse(getattr(row, name))
            except ValueError:
                self._note(name, getattr(row, name), "JSON")
                return
        winner = (parsed["evidence"].get("candidates") or [{}])[0]
        at = winner.get("at") if winner.get("is_click") else None
        clicked_at = None if row.clicked_at is None else clock.format_instant(row.clicked_at)
        for name, stored, told in (
            ("method", row.method, winner.get("method")),
            ("channel", row.channel, winner.get("channel")),
            ("offer_key", row.offer_key, winner.get("offer")),
            ("version", row.version, winner.get("version")),
            ("clicked_at", clicked_at, at),
        ):
            self.report.compare("referrals", self.place, name, stored, told)
        typed_at = None if winner.get("is_click") else winner.get("at")
        if typed_at is not None and row.bound_at > clock.parse_instant(typed_at):
            self._note("bound_at", row.bound_at, f"at most {typed_at}")
        score = combine(one["weight_bp"] for one in parsed["signals"])
        self.report.compare("referrals", self.place, "score_bp", row.score_bp, score)
        if not 0 <= row.cleared_bp <= WHOLE_BP:
            self._note("cleared_bp", row.cleared_bp, f"from 0 to {WHOLE_BP}")

    def _check_order(self) -> None:
        """The order that it stands by is the friend's, stands, and comes to as much; where what was
        paid is kept after a while, it may have fallen since."""
        row = self.row
        program = self.programs.version(row.program_id, row.version, row.switches)
        offer = None if program is None else program.offer(row.offer_key)
        if offer is not None and offer.clawback_window is not None:
            return
        if row.order_ is None or row.order_member_ != row.friend_id:
            self._note("order_ref", row.order_ref, "an order of the friend")
        elif not row.order_stands_:
            self._note("stands", True, "False: its order does not stand")
        else:
            self.report.compare("referrals", self.place, "net_minor", row.net_minor, row.order_net_)

    def _check_times(self) -> None:
        row = self.row
        if row.state in _QUALIFIED and row.qualified_at is None:
            self._note("qualified_at", None, "when it qualified")
        approved_at = self._first("approved", None)
        self.report.compare("referrals", self.place, "approved_at", row.approved_at, approved_at)
        if row.state in _ENDED:
            self.report.compare("referrals", self.place, "due_at", row.due_at, None)
        if row.state == "on_hold":
            self.report.compare("referrals", self.place, "due_at", row.due_at, row.hold_until)
        if row.clicked_at is not None and row.clicked_at > row.bound_at:
            self._note("clicked_at", row.clicked_at, f"at most {row.bound_at}")
        if row.updated_at < row.created_at:
            self._note("updated_at", row.updated_at, f"from {row.created_at} on")
        last = self._last(None)
        if last is not None and row.updated_at < last.recorded_at:
            self._note("updated_at", row.updated_at, f"from {last.recorded_at} on")

    def _check_side(self, side: Any) -> None:
        place: Place = ("rsd", side.id, "")
        compare, note = self.report.compare, self.report.note
        table, last = "referral_sides", self._last(side.side)
        expected = {"advocate": self.row.advocate_id, "friend": self.row.friend_id}
        if side.side not in ("advocate", "friend", "second"):
            note(table, place, "side", side.side, "advocate, friend or second")
        elif side.side == "friend" and self.row.friend_into_ is not None:
            # The referral of an alias: its side went to whoever they are by now.
            compare(table, place, "member_id", side.member_id, self.friend_id)
        elif side.side in expected:
            compare(table, place, "member_id", side.member_id, expected[side.side])
        if last is None:
            compare(table, place, "state", side.state, "waiting")
            compare(table, place, "reason", side.reason, None)
        else:
            compare(table, place, "state", side.state, last.to_state)
            compare(table, place, "reason", side.reason, last.reason)
            compare(table, place, "updated_at", side.updated_at, last.recorded_at)
        was_paid = any(
            line.side == side.side and line.to_state == "rewarded" for line in self.lines
        )
        paid_at = self._first("rewarded", side.side)
        compare(table, place, "first_rewarded_at", side.first_rewarded_at, paid_at)
        if (side.decision_id is not None) is not was_paid:
            computed = "a decision" if was_paid else None
            note(table, place, "decision_id", side.decision_id, computed)
        times = sum(
            line.side == side.side and line.to_state in ("rewarded", "clawed_back")
            for line in self.lines
            if line.from_state != line.to_state
        )
        if side.number < times or (side.number > 0) is not was_paid:
            note(table, place, "number", side.number, f"at least {times}")


def _check_milestones(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """A milestone stands while so many referrals of its offer do, and was promised by its
    version."""
    lead = [REFERRALS.c.program_id, REFERRALS.c.advocate_id]
    counts = (
        sa.select(*lead, REFERRALS.c.offer_key, sa.func.count().label("friends"))
        .where(REFERRALS.c.stands)
        .group_by(*lead, REFERRALS.c.offer_key)
        .order_by(*lead)
    )
    own = sa.and_(
        MEMBERS.c.program_id == MILESTONES.c.program_id, MEMBERS.c.id == MILESTONES.c.member_id
    )
    columns = [MILESTONES.c.program_id, MILESTONES.c.member_id]
    rows = (
        sa.select(
            *columns,
            *(one for one in MILESTONES.c if one not in set(columns)),
            MEMBERS.c.id.label("member_"),
            MEMBERS.c.erased_at.label("erased_at_"),
        )
        .select_from(MILESTONES.outerjoin(MEMBERS, own))
        .order_by(*columns)
    )
    counted = Groups(stream(connection, counts, REFERRALS, program_id))
    reached = Groups(stream(connection, rows, MILESTONES, program_id))
    for key in side_by_side(counted, reached):
        friends = {row.offer_key: int(row.friends) for row in counted.take(key)}
        for row in reached.take(key):
            _check_milestone(report, programs, row, friends.get(row.offer_key, 0))


def _check_milestone(report: Report, programs: Programs, row: Any, friends: int) -> None:
    place: Place = ("rms", row.id, "")
    if row.member_ is None:
        report.note("referral_milestones", place, "member_id", row.member_id, "a member")
    if row.erased_at_ is None:
        computed = milestones.stands(friends, (row.at_count, row.number))
        report.compare("referral_milestones", place, "stands", bool(row.stands), computed)
    program = programs.version(row.program_id, row.version, row.switches)
    offer = None if program is None else program.offer(row.offer_key)
    if program is None:
        stored = f"{row.version} with {row.switches} switches"
        report.note("referral_milestones", place, "version", stored, "a published version")
    elif offer is None or row.at_count not in {one.at for one in offer.milestones}:
        stored = f"{row.at_count} of {row.offer_key}"
        report.note("referral_milestones", place, "at_count", stored, "one of its version")
    if row.decision_id is None:
        report.note("referral_milestones", place, "decision_id", None, "a decision")
    if row.reached_at > row.updated_at:
        most = f"at most {row.updated_at}"
        report.note("referral_milestones", place, "reached_at", row.reached_at, most)
