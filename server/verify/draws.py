"""Proof of receipts of surprises against the ledger: what they gave stands while what caused them
does, is claimed of limits and budgets, and was drawn by the surprise as it was.

What a prize brought is proved with every other source (`fired`); rolls, numbers and roots by
`flask draws verify`. Here is what only receipts, paces and places know. When a member saw a prize
is told by nobody else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, jsontext
from loyalty.earning import Earning
from loyalty.exact import Earned
from loyalty.limits.claims import Claim
from loyalty.limits.storing import read_counters
from loyalty.tiers.models import ENTRIES
from members.activities import ACTIVITIES, DONE
from members.members import MEMBERS
from orders.models import Order
from programs.compiled import Compiled
from programs.surprises import CERTAIN_PPM, PLACE_PREFIX, Surprise
from rewards.carried import GRANTS
from rewards.luck import receipts, rolling
from rewards.payables import PAYABLES
from rewards.surprises import pacing
from rewards.surprises.carried import DRAWS
from rewards.surprises.models import BudgetAlert, SurprisePace
from server.verify.programs import Programs
from server.verify.rows import Place, Report, stream
from storefront.cards import COMPLETIONS
from storefront.decisions import DECISIONS
from storefront.surprising import giving

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
PACES: sa.Table = SurprisePace.__table__  # type: ignore[assignment]
ALERTS: sa.Table = BudgetAlert.__table__  # type: ignore[assignment]
#: Why a prize fell, or did not come back.
FALLEN = ("not_paid", "limit_reached", "budget", "condition_not_met")
#: Sources, besides orders, that may fall: what they brought falls with them.
CLAIMED = ("card", "tier", "activity")
_D = DRAWS.c


def gave_for_good() -> sa.ColumnElement[Any]:
    """Whether a receipt brought something that is not taken back with it once it is gone: a gift,
    or cash that was exported. If so, whose that is: the receipt itself may have been left with
    somebody who was merged."""
    granted, exported = (
        sa.select(table.c.member_id)
        .where(table.c.program_id == _D.program_id, table.c.source_id == _D.id, *which)
        .limit(1)
        .scalar_subquery()
        for table, which in ((GRANTS, ()), (PAYABLES, (PAYABLES.c.exported_by.is_not(None),)))
    )
    return sa.case((_D.won, sa.func.coalesce(granted, exported))).label("gave_for_good")


def _is_taking(row: Any, claims: Sequence[Any]) -> bool:
    """Whether a receipt is to claim: it stands, or it fell and something of it was gone then, which
    only its claims themselves still tell."""
    return bool(row.stands or (row.gave_for_good and claims))


def claims(program: Compiled, row: Any, found: Sequence[Any]) -> dict[str, Claim]:
    """What a receipt takes of limits and the budget: a row of the proof of what claims paid, with
    the draw's own columns, and the claims that it has."""
    surprise = program.surprises.find(row.surprise_key)
    if surprise is None or not _is_taking(row, found):
        return {}
    return giving.claims_of(
        program,
        surprise,
        draw_id=bytes(row.id),
        member_id=bytes(row.member_id if row.stands else row.gave_for_good),
        at=row.drawn_at,
        cost=row.cost,
    )


def check_cost(report: Report, program: Compiled, row: Any, found: Sequence[Any]) -> None:
    """What a receipt costs is what its decision came to, and nothing once it gave back what it
    took. One that fell and did not costs what it did; its decision is another by then."""
    surprise, cost = program.surprises.find(row.surprise_key), 0
    if surprise is not None and _is_taking(row, found) and row.prize < len(surprise.prizes):
        prize = surprise.prizes[row.prize]
        if row.stands:
            earning = _earning(jsontext.parse(row.outcomes))
            cost = giving.cost_of(program, surprise, prize, earning)
        else:
            is_points = surprise.budget is not None and surprise.budget.unit == "points"
            fixed = prize.fixed_points if is_points else prize.fixed_minor
            cost = row.cost if fixed is None else fixed
    report.compare("draws", ("drw", row.id, ""), "cost", row.cost, cost)


def _earning(outcomes: Mapping[str, Any]) -> Earning:
    """What a decision came to, as far as it costs something."""
    return Earning(
        earned=[
            Earned(one["points_key"], one["points"], (), (), one["exact"])
            for one in outcomes["arithmetic"]
        ],
        grants=dict(outcomes.get("grants") or {}),
        payables=dict(outcomes.get("payables") or {}),
    )


def check_places(report: Report, rows: Sequence[Any]) -> list[Any]:
    """Claims of places in a day, which have no source but themselves; returns the other claims."""
    others = []
    for one in rows:
        if not one.rule.startswith(PLACE_PREFIX):
            others.append(one)
            continue
        place: Place = ("mem", bytes(one.member_id), f" {one.rule} at {one.at}")
        for name, value in (("times", 1), ("points", 0), ("wanted", 0)):
            report.compare("limit_claims", place, name, getattr(one, name), value)
        keys = read_counters(one.counters)
        if [(key.rule, key.period, key.unit) for key in keys] != [(one.rule, "day", "times")]:
            report.note("limit_claims", place, "counters", one.counters, "that of its day")
    return others


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every receipt, pace and alert."""
    paces: dict[tuple[bytes, str, int, str], int] = {}
    row: Any
    for row in stream(connection, sa.select(PACES), PACES, program_id):
        _check_pace(report, row)
        key = (bytes(row.program_id), row.surprise_key, row.version, row.paced_on)
        paces[key] = row.pace_ppm
    for row in stream(connection, sa.select(ALERTS), ALERTS, program_id):
        _check_alert(report, row)
    for row in stream(connection, _receipts(), DRAWS, program_id):
        _Receipt(report, programs, paces, row).check()


def _check_alert(report: Report, row: Any) -> None:
    """An alert was of a threshold that was reached."""
    place = ("prg", bytes(row.program_id), f" {row.rule} {row.percent} % of {row.total}")
    if row.percent not in (80, 100):
        report.note("budget_alerts", place, "percent", row.percent, "80 or 100")
    if row.percent == 80 and row.used * 100 < row.total * 80:
        report.note("budget_alerts", place, "used", row.used, "four fifths of the total")


def _check_pace(report: Report, row: Any) -> None:
    place = ("prg", bytes(row.program_id), f" {row.surprise_key} v{row.version} {row.paced_on}")
    factor = pacing.factor_ppm(
        remaining=row.remaining, days_left=row.days_left, expected_micro=row.expected_micro
    )
    report.compare("surprise_paces", place, "pace_ppm", row.pace_ppm, factor)


def _receipts() -> sa.Select[Any]:
    """Receipts with what they must agree with."""

    def same(table: sa.FromClause, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.program_id == _D.program_id, table.c.id == column)

    joined = (
        DRAWS.outerjoin(MEMBERS, same(MEMBERS, _D.member_id))
        .outerjoin(DECISIONS, same(DECISIONS, _D.decision_id))
        .outerjoin(ORDERS, sa.and_(same(ORDERS, _D.source_id), _D.source_type == "order"))
        .outerjoin(COMPLETIONS, sa.and_(same(COMPLETIONS, _D.source_id), _D.source_type == "card"))
        .outerjoin(ENTRIES, sa.and_(same(ENTRIES, _D.source_id), _D.source_type == "tier"))
        .outerjoin(
            ACTIVITIES, sa.and_(same(ACTIVITIES, _D.source_id), _D.source_type == "activity")
        )
    )
    claims = (COMPLETIONS.c, ENTRIES.c, ACTIVITIES.c)
    return sa.select(
        *DRAWS.columns,
        MEMBERS.c.id.label("member_"),
        MEMBERS.c.erased_at.label("erased_at_"),
        DECISIONS.c.version.label("decided_version_"),
        DECISIONS.c.switches.label("decided_switches_"),
        ORDERS.c.order_ref.label("order_ref_"),
        ORDERS.c.member_id.label("order_member_"),
        ORDERS.c.stands.label("order_stands_"),
        sa.func.coalesce(*(claim.member_id for claim in claims)).label("claim_member_"),
        sa.func.coalesce(COMPLETIONS.c.stands, ENTRIES.c.stands, ACTIVITIES.c.status == DONE).label(
            "claim_stands_"
        ),
    ).select_from(joined)


class _Receipt:
    """One receipt."""

    def __init__(
        self,
        report: Report,
        programs: Programs,
        paces: Mapping[tuple[bytes, str, int, str], int],
        row: Any,
    ) -> None:
        self.report, self.programs, self.paces, self.row = report, programs, paces, row
        self.place: Place = ("drw", row.id, "")

    def check(self) -> None:
        """All of it."""
        self._check_body()
        self._check_standing()
        self._check_source()
        self._check_times()
        row = self.row
        program = self.programs.version(row.program_id, row.live_version, row.switches)
        surprise = None if program is None else program.surprises.find(row.surprise_key)
        if program is None or surprise is None:
            stored = f"{row.live_version} with {row.switches} switches"
            self._note("live_version", stored, f"a published version with {row.surprise_key}")
        else:
            self._check_surprise(program, surprise)

    def _note(self, column: str, stored: Any, computed: Any) -> None:
        self.report.note("draws", self.place, column, stored, computed)

    def _compare(self, column: str, computed: Any) -> None:
        stored = getattr(self.row, column)
        self.report.compare("draws", self.place, column, stored, computed)

    def _check_body(self) -> None:
        """The body is the one whose hash was taken; of an erased member nothing is left of it."""
        row = self.row
        if row.is_erased:
            self._compare("member_ref", None)
            self._compare("activity_ref", None)
            return
        try:
            hashed = rolling.body_hash(receipts.body_of(row._mapping))
        except (TypeError, ValueError, OverflowError) as error:
            self._note("body_hash", bytes(row.body_hash), f"a body that can be read: {error}")
            return
        self.report.compare("draws", self.place, "body_hash", bytes(row.body_hash), hashed)

    def _check_standing(self) -> None:
        """A prize stands, or says why it does not; what won nothing gave nothing."""
        row = self.row
        is_paid = bool(row.won and not row.is_shadow)
        if (row.decision_id is not None) is not is_paid:
            self._note("decision_id", row.decision_id, "one of a won prize, else none")
        if row.stands and not is_paid:
            self._note("stands", True, False)
        if (row.why_fallen is not None) is not (is_paid and not row.stands):
            self._note("why_fallen", row.why_fallen, "why a won prize fell, else none")
        elif row.why_fallen is not None and row.why_fallen not in FALLEN:
            self._note("why_fallen", row.why_fallen, f"one of {', '.join(FALLEN)}")
        if not is_paid:
            self._compare("cost", 0)
        scopes = ("program", "rule") if row.guard == "holdout" else (None,)
        if row.holdout_scope not in scopes:
            self._note("holdout_scope", row.holdout_scope, "whose holdout it is, else none")
        if row.decided_version_ is not None:
            self._compare("live_version", row.decided_version_)
            self._compare("switches", row.decided_switches_)

    def _check_source(self) -> None:
        """Of an order: it is that order, and the prize stands as it does; or as what else falls."""
        row = self.row
        if row.member_ is None:
            self._note("member_id", row.member_id, "a member that exists")
        if (row.source_type == "order") is not (row.trigger == "order"):
            self._note("source_type", row.source_type, f"what fires {row.trigger}")
        if row.source_type != "order":
            if row.source_type in CLAIMED and not row.is_erased:
                self._check_claim()
            return
        if row.order_ref_ is None:
            self._note("source_id", row.source_id, "an order that exists")
            return
        self._compare("source_ref", None if row.is_erased else row.order_ref_)
        if not row.is_erased:
            self._compare("activity_ref", row.order_ref_)
        deserves = bool(row.order_stands_) and row.order_member_ == row.member_id
        if row.stands and not deserves:
            self._note("stands", True, "False: its order does not stand for the member")
        if row.why_fallen == "not_paid" and deserves:
            self._note("why_fallen", row.why_fallen, "none: its order stands")

    def _check_claim(self) -> None:
        """What a claim brought stands while the claim does, and is of whose it is."""
        row = self.row
        deserves = bool(row.claim_stands_) and row.claim_member_ == row.member_id
        if row.stands and not deserves:
            what = f"its {row.source_type} does not stand for the member"
            self._note("stands", True, f"False: {what}")
        # Who takes no part is asked anew with an activity.
        if row.why_fallen == "not_paid" and deserves and row.source_type != "activity":
            self._note("why_fallen", row.why_fallen, f"none: its {row.source_type} stands")

    def _check_times(self) -> None:
        row = self.row
        if row.recorded_at < row.drawn_at:
            self._note("recorded_at", row.recorded_at, f"from {row.drawn_at} on")
        if row.seen_at is not None and row.seen_at < row.recorded_at:
            self._note("seen_at", row.seen_at, f"from {row.recorded_at} on")

    def _check_surprise(self, program: Compiled, surprise: Surprise) -> None:
        """It was drawn by the surprise as it was, at the day's pace."""
        row = self.row
        for column, value in (
            ("version", surprise.version),
            ("trigger", surprise.trigger),
            ("probability_ppm", surprise.probability_ppm),
            ("weights", jsontext.text(list(surprise.weights))),
            ("pity_after", surprise.pity_after),
            ("is_shadow", surprise.is_shadow),
        ):
            self._compare(column, value)
        if row.prize is not None and not 0 <= row.prize < len(surprise.prizes):
            self._note("prize", row.prize, "a prize of its surprise")
        pace = CERTAIN_PPM
        if row.guard is None and _is_paced(surprise, row.recorded_at):
            on = clock.local_date(row.recorded_at, program.zone).isoformat()
            pace = self.paces.get((bytes(row.program_id), row.surprise_key, row.version, on), -1)
        self._compare("pace_ppm", pace)
        self._compare("threshold_ppm", rolling.threshold(row.probability_ppm, row.pace_ppm))
        self._check_expected(surprise)

    def _check_expected(self, surprise: Surprise) -> None:
        budget = surprise.budget
        if budget is None or self.row.guard not in (None, "budget"):
            self._compare("expected_cost_micro", None)
            return
        is_points = budget.unit == "points"
        costs = [one.fixed_points if is_points else one.fixed_minor for one in surprise.prizes]
        fixed = [cost for cost in costs if cost is not None]
        if len(fixed) == len(costs):
            expected = pacing.expected_micro(surprise.probability_ppm, surprise.weights, fixed)
            self._compare("expected_cost_micro", expected)
        elif self.row.expected_cost_micro is None:
            # A share of an order that nobody keeps as it was then.
            self._note("expected_cost_micro", None, "what the draw was expected to cost")


def _is_paced(surprise: Surprise, at: int) -> bool:
    budget = surprise.budget
    if budget is None or not budget.is_paced or budget.ends_at is None:
        return False
    return at < budget.ends_at
