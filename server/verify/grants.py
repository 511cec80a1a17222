"""Proof of grants: each has a cause that gave it, terms that some version had, and one use.

That a source gives by one rule no more than once at a number is a key of the table.
"""

from typing import Any

import sqlalchemy as sa

from core import ids
from members.members import MEMBERS
from programs import versions
from programs.compiled import Compiled
from programs.models import ProgramVersion
from rewards import terms
from rewards.carried import GRANTS, REDEMPTIONS, VOUCHERS
from rewards.grants import UNUSED
from rules.effects import GrantReward
from server.verify.programs import Programs
from server.verify.rows import Place, Report, stream
from storefront.decisions import DECISIONS
from storefront.granting import by_hand
from storefront.orders import ORDERS

STATES = ("open", "used", "lapsed", "revoked", "frozen")
CAUSES = ("stands", "fell", "withdrawn")
#: In which states one of the stock is taken.
WITH_STOCK = ("open", "used", "frozen")
_REDEMPTION_NAMES = ("id", "grant_id", "state", "member_id")
_DECISION_NAMES = ("id", "member_id", "source_type", "source_ref", "version", "switches")


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every grant."""
    known = _Promised(connection)
    for row in stream(connection, _grants(), GRANTS, program_id):
        _check(report, programs, known, row)


def _grants() -> sa.Select[Any]:
    columns = GRANTS.c

    def same(table: sa.Table, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.program_id == columns.program_id, table.c.id == column)

    joined = (
        GRANTS.outerjoin(REDEMPTIONS, same(REDEMPTIONS, columns.redemption_id))
        .outerjoin(VOUCHERS, same(VOUCHERS, columns.voucher_id))
        .outerjoin(DECISIONS, same(DECISIONS, columns.decision_id))
        .outerjoin(MEMBERS, same(MEMBERS, columns.member_id))
        .outerjoin(
            ORDERS,
            sa.and_(
                ORDERS.c.program_id == columns.program_id,
                ORDERS.c.order_ref == columns.source_ref,
                columns.source_type == "order",
            ),
        )
    )
    return sa.select(
        *columns,
        *(REDEMPTIONS.c[name].label(f"redemption_{name}_") for name in _REDEMPTION_NAMES),
        *(DECISIONS.c[name].label(f"decided_{name}_") for name in _DECISION_NAMES),
        VOUCHERS.c.grant_id.label("voucher_grant_id_"),
        VOUCHERS.c.uses.label("voucher_uses_"),
        VOUCHERS.c.value_minor.label("voucher_value_"),
        VOUCHERS.c.remaining_minor.label("voucher_remaining_"),
        VOUCHERS.c.state.label("voucher_state_"),
        VOUCHERS.c.expires_at.label("voucher_expires_at_"),
        MEMBERS.c.id.label("member"),
        ORDERS.c.id.label("order_id"),
    ).select_from(joined)


class _Promised:
    """By program: the terms of every reward that any version had, as grants have them."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._known: dict[bytes, dict[str, set[str]]] = {}

    def of(self, program_id: bytes) -> dict[str, set[str]]:
        """Terms by key of the reward."""
        if program_id not in self._known:
            numbers = self._connection.execute(
                sa.select(ProgramVersion.version).where(ProgramVersion.program_id == program_id)
            ).scalars()
            found = self._known[program_id] = {}
            for number in list(numbers):
                program = versions.get_compiled(self._connection, program_id, number)
                for reward in program.catalogue.rewards:
                    found.setdefault(reward.key, set()).add(terms.of_reward(reward, 0).text)
        return self._known[program_id]


def _check(report: Report, programs: Programs, known: _Promised, row: Any) -> None:
    place = ("grt", row.id, "")
    for name, allowed in (("state", STATES), ("cause", CAUSES)):
        if getattr(row, name) not in allowed:
            report.note("grants", place, name, getattr(row, name), f"one of {', '.join(allowed)}")
            return
    if row.member is None:
        report.note("grants", place, "member_id", row.member_id, "a member that exists")
    if row.terms not in known.of(row.program_id).get(row.reward_key, ()):
        report.note("grants", place, "terms", row.terms, f"those of {row.reward_key}")
    program = programs.version(row.program_id, row.version, row.switches)
    if program is None:
        stored = f"{row.version} with {row.switches} switches"
        report.note("grants", place, "version", stored, "a published version")
    elif row.decision_id is not None and row.rule not in _giving(program, row.reward_key):
        report.note("grants", place, "rule", row.rule, f"one that gives {row.reward_key}")
    if row.has_stock and row.state not in WITH_STOCK:
        report.note("grants", place, "has_stock", True, False)
    _check_cause(report, place, row)
    _check_times(report, place, row)
    _check_use(report, place, row)


def _giving(program: Compiled, reward_key: str) -> set[str]:
    """Keys of the rules of a version that give a reward."""
    return {
        rule.key
        for rules in program.rules.values()
        for rule in rules
        if isinstance(rule.effect, GrantReward) and rule.effect.reward == reward_key
    }


def _check_cause(report: Report, place: Place, row: Any) -> None:
    """What gave it is what decided it; what a hand gave has no cause but itself."""
    if row.decision_id is None:
        expected = {
            "source_type": by_hand.TYPE,
            "source_ref": ids.show_id("grt", row.id),
            "source_id": row.id,
            "rule": by_hand.TYPE,
            "number": 1,
        }
        for name, value in expected.items():
            report.compare("grants", place, name, getattr(row, name), value)
        return
    if row.decided_id_ is None:
        report.note("grants", place, "decision_id", row.decision_id, "a decision that exists")
        return
    for name in ("source_type", "source_ref", "version", "switches"):
        report.compare("grants", place, name, getattr(row, name), getattr(row, f"decided_{name}_"))
    if row.source_type == "order":
        report.compare("grants", place, "source_id", row.source_id, row.order_id)


def _check_times(report: Report, place: Place, row: Any) -> None:
    has_ended = row.state not in UNUSED
    if (row.ended_at is not None) is not has_ended:
        computed = "when it ended" if has_ended else None
        report.note("grants", place, "ended_at", row.ended_at, computed)
    if row.recorded_at < row.granted_at:
        report.note("grants", place, "recorded_at", row.recorded_at, f"from {row.granted_at}")
    if has_ended:
        report.compare("grants", place, "due_at", row.due_at, None)
    elif row.state == "open":
        report.compare("grants", place, "due_at", row.due_at, row.expires_at)
    elif row.due_at is None or (row.expires_at is not None and row.due_at > row.expires_at):
        report.note("grants", place, "due_at", row.due_at, f"at most {row.expires_at}")
    if row.state == "lapsed":
        report.compare("grants", place, "ended_at", row.ended_at, row.expires_at)


def _is_idle(row: Any) -> bool:
    """Whether a card that was used holds all of its money again, and went with its cause."""
    is_whole = row.voucher_value_ is not None and row.voucher_remaining_ == row.voucher_value_
    return bool(row.voucher_uses_) and is_whole and row.state in ("revoked", "frozen", "lapsed")


def _check_rest(report: Report, place: Place, row: Any) -> None:
    """What was not used of a code when its order fell is gone with that."""
    if (row.source_type, row.cause, row.voucher_state_) == ("order", "fell", "active"):
        report.note("grants", place, "voucher", row.voucher_state_, "void, as its cause fell")


def _check_use(report: Report, place: Place, row: Any) -> None:
    """A used one is used by one redemption, by its code, or was had at once."""
    if row.voucher_id is not None:
        if row.voucher_grant_id_ != row.id:
            shown = ids.show_id("vou", row.voucher_id)
            report.note("grants", place, "voucher_id", shown, "a voucher of this grant")
            return
        report.compare("grants", place, "redemption_id", row.redemption_id, None)
        report.compare("grants", place, "expires_at", row.expires_at, row.voucher_expires_at_)
        if bool(row.voucher_uses_) is not (row.state == "used") and not _is_idle(row):
            report.note("grants", place, "state", row.state, f"of {row.voucher_uses_} uses")
        _check_rest(report, place, row)
        return
    is_used = row.state == "used"
    if row.redemption_id is None:
        try:
            is_had = terms.parse(row.terms).kind == "access"
        except (ValueError, TypeError):
            return
        if is_used and not is_had:
            report.note("grants", place, "redemption_id", None, "the redemption that uses it")
        return
    if not is_used or row.redemption_grant_id_ != row.id:
        shown = ids.show_id("rdm", row.redemption_id)
        report.note("grants", place, "redemption_id", shown, "one that uses this grant, or none")
    elif row.redemption_state_ not in ("held", "captured"):
        report.note("grants", place, "state", row.state, f"of one {row.redemption_state_}")
