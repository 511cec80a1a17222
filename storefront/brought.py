"""What stands of what a trigger brought in another unit of work: read, not decided again."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import jsontext
from loyalty import reading
from loyalty.deserved import by_terms
from loyalty.exact import Earned, Share
from programs import versions
from programs.compiled import Compiled
from programs.rules import Rule
from rewards import payables
from storefront import answers
from storefront.decisions import DECISIONS
from storefront.firing import Source
from storefront.granting import bringing, showing
from storefront.plan import Plan


def read(
    connection: sa.Connection,
    plan: Plan,
    source: Source,
    *,
    member_id: bytes,
    decision_id: bytes,
    trigger: str,
) -> dict[str, Any]:
    """Points, grants and cash of a source by its last decision, as the contract shows them."""
    plan.book.load((), reading.read_lots(connection, plan.program_id, [source.id]))
    row = connection.execute(
        sa.select(DECISIONS.c.version, DECISIONS.c.switches, DECISIONS.c.outcomes).where(
            DECISIONS.c.program_id == plan.program_id, DECISIONS.c.id == decision_id
        )
    ).one()
    program = versions.get_compiled(connection, plan.program_id, row.version, row.switches)
    return of_outcomes(
        plan,
        source,
        rules=program.rules_of(trigger),
        outcomes=jsontext.parse(row.outcomes),
        program=program,
        member_id=member_id,
        decision_id=decision_id,
    )


def of_outcomes(
    plan: Plan,
    source: Source,
    *,
    rules: Sequence[Rule],
    outcomes: Mapping[str, Any],
    program: Compiled,
    member_id: bytes,
    decision_id: bytes,
) -> dict[str, Any]:
    """The same of a decision that was read, with the lots of its source in the plan."""
    earned = answers.shown_awards(
        plan,
        by_terms(program, rules, _earned_of(outcomes)),
        earned_at=source.at,
        lots=plan.book.lots_of(source.id, member_id),
        decision_id=decision_id,
    )
    has_grants = bringing.concern(program, rules)
    return {
        "earned": earned,
        "grants": showing.of_source(plan, source.id, member_id) if has_grants else [],
        "payables": payables.shown(outcomes.get("payables") or {}),
    }


def _earned_of(outcomes: Mapping[str, Any]) -> list[Earned]:
    """The arithmetic of a stored decision that was no order's."""
    return [
        Earned(
            points_key=one["points_key"],
            points=one["points"],
            breakdown=tuple(Share(*share) for share in one["breakdown"]),
            by_line=(),
            exact=one["exact"],
        )
        for one in outcomes["arithmetic"]
    ]
