"""What became of a happening's surprises when it was told before.

A surprise looks at a happening when that first stands. Told anew, it is asked again only by a
surprise that looked then and found its condition not met, and only as it was then: none that was
paused, out of season or another one wins afterwards, whoever the happening belongs to by now. A
place of a day is taken once for a happening. Refuses to judge: decisions say it.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from members import members
from members.activities import ACTIVITIES
from members.members import MEMBERS
from orders.history import SUPERSEDED
from orders.models import Order
from programs import versions
from programs.compiled import Compiled
from programs.surprises import Surprise
from rewards.surprises.carried import Chance
from storefront.decisions import DECISIONS
from storefront.plan import Plan

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
#: What has a reference of its own, by which it may belong to one member after another.
_NAMED = ("order", "activity")
#: Why a surprise did not look at all.
_BLIND = ("not_live", "outside_schedule")


@dataclass(frozen=True, slots=True)
class Earlier:
    """The document that a happening was first told under, and what its decisions say of surprises,
    for each time that it stood."""

    program: Compiled
    asked: tuple[dict[str, dict[str, Any]], ...] = ()

    def against(self, surprise: Surprise) -> dict[str, Any] | None:
        """Why a surprise whose condition is met by now is not asked, as an outcome; None where it
        is."""
        pinned = self.program.surprises.find(surprise.key)
        if pinned is None or pinned.trigger != surprise.trigger:
            return _refused(surprise, "not_live")
        if not self.asked:
            return None
        first = self.asked[0].get(surprise.key)
        if first is None or pinned.version != surprise.version:
            return _refused(surprise, "not_live")
        if first.get("reason") in _BLIND:
            return _refused(surprise, first["reason"])
        if surprise.every is not None:
            return self._placed(surprise)
        return None

    def _placed(self, surprise: Surprise) -> dict[str, Any] | None:
        """The place that was taken; what won, lost or was stopped had its turn."""
        for asked in self.asked:
            one = asked.get(surprise.key)
            if one is None or one.get("reason") in _BLIND:
                continue
            if one.get("reason") != "condition_not_met" or "place" in one:
                place = {"place": one.get("place"), "every": surprise.every}
                return _refused(surprise, "condition_not_met") | place
        return None


def _refused(surprise: Surprise, reason: str) -> dict[str, Any]:
    return {"rule": surprise.key, "is_fired": False, "reason": reason}


def read(connection: sa.Connection, plan: Plan, chance: Chance) -> Earlier:
    """What was decided of a happening before this unit."""
    mine = DECISIONS.c
    conditions = [
        mine.program_id == plan.program_id,
        mine.member_id.in_(_owners(connection, plan, chance)),
        mine.source_type == chance.source_type,
        mine.source_ref == chance.source_ref,
    ]
    if chance.source_type not in _NAMED:
        # Levels and cards have the same reference every time.
        conditions.append(mine.effective_at == chance.at)
    found = connection.execute(
        sa.select(mine.id, mine.version, mine.switches, mine.outcomes).where(*conditions)
    )
    # Sorted here, lest a database reads the whole program in that order.
    rows = sorted(found, key=lambda row: bytes(row.id))
    program = chance.pinned
    if rows:
        program = versions.get_compiled(
            connection, plan.program_id, rows[0].version, rows[0].switches
        )
    outcomes = [jsontext.parse(row.outcomes) for row in rows]
    return Earlier(
        program,
        tuple(
            {entry["rule"]: entry for entry in one["surprises"]}
            for one in outcomes
            if "surprises" in one
        ),
    )


def _owners(connection: sa.Connection, plan: Plan, chance: Chance) -> list[bytes]:
    """Whose the happening is and was, or whose it is since two turned out to be one."""
    found = {chance.member_id}
    if chance.source_type not in _NAMED:
        return list(found)
    told = connection.execute(
        sa.select(SUPERSEDED.c.body).where(
            SUPERSEDED.c.program_id == plan.program_id,
            SUPERSEDED.c.kind == chance.source_type,
            SUPERSEDED.c.ref == chance.source_ref,
            SUPERSEDED.c.refund_ref.is_(None),
        )
    )
    refs = {jsontext.parse(body).get("member_ref") for (body,) in told} - {None}
    before = {ids.read_id(members.PREFIX, ref) for ref in refs}
    of = (ORDERS if chance.source_type == "order" else ACTIVITIES).c
    # As it is stored: where it is moved just now, whose it was until now.
    before.add(
        connection.execute(
            sa.select(of.member_id).where(
                of.program_id == plan.program_id, of.id == chance.source_id
            )
        ).scalar()
    )
    before -= {None, *found}
    if before:
        united = connection.execute(
            sa.select(MEMBERS.c.id, MEMBERS.c.merged_into_id).where(
                MEMBERS.c.program_id == plan.program_id, MEMBERS.c.id.in_(before)
            )
        )
        for of_member, into in united:
            found |= {bytes(of_member)} | ({bytes(into)} if into is not None else set())
    return list(found)
