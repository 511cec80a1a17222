"""What follows a change of level: it is logged and told, and entering a level pays.

One call at the end of whatever moved levels in a plan. Entering a level from below pays its
effects and the rules of `tier_entered` once per term: a claim of the level whose term is not over
is carried on, never paid again. A refund that lowers the level takes back what it paid, and
deserved again within the term the same claim stands again; the level that a refund leaves was
entered from below before. So it is with what moves unseen beneath a level assured or given by hand,
or kept to the end of its term, but that nothing is entered there. A level that the ladder lost is
left for what stands in its place. Refuses to know who moves where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from loyalty.tiers import claims, moving
from loyalty.tiers.claims import Claim, Pinned
from loyalty.tiers.standing import NOWHERE, LevelMove
from members import members
from members.members import Known
from programs import versions
from rules.outcomes import Reason
from storefront import firing
from storefront.activities import inactivity
from storefront.decisions import DECISIONS
from storefront.firing import Fired, Source
from storefront.plan import Plan
from storefront.tiers import entry_facts, tier_log
from storefront.tiers.lost_levels import Slots

SOURCE_TYPE = "tier"
#: Where the member brought the level along, entering it was paid elsewhere or before.
_UNPAID_CAUSES = ("opening",)
#: What no longer deserves a level was never there; time, a hand or the ladder take nothing back.
_UNDOING_CAUSES = ("order", "refund")


@dataclass(slots=True)
class Followed:
    """What followed for one member: what the level entered last brought, as the contract shows
    it beside the change of level, and every entry made."""

    shown: dict[str, Any] = field(default_factory=firing.nothing)
    made: list[dict[str, Any]] = field(default_factory=list)


def trigger_of(level_key: str) -> str:
    """The trigger of entering a level, as `Compiled.rules_of` takes it."""
    return f"tier_entered:{level_key}"


def follow(
    connection: sa.Connection,
    plan: Plan,
    *,
    note: str | None = None,
    people: Mapping[bytes, Known] | None = None,
) -> dict[bytes, Followed]:
    """Let follow what the plan's moves of levels bring, once each; what followed, by member.
    `note` is why somebody moved them by hand; `people` are given where nobody may be locked."""
    moves, plan.level_moves = plan.level_moves, []
    if not moves:
        return {}
    member_ids = sorted({move.member_id for move in moves})
    unread = [member_id for member_id in member_ids if member_id not in plan.tier_claims]
    plan.tier_claims |= claims.read(connection, plan.program_id, unread)
    slots = Slots(connection, plan.live)
    moves = [_ranked(move, slots) for move in moves]
    moved = {
        move.member_id
        for move in moves
        if move.past is None and (move.rise or move.before.lost_key is not None)
    }
    known = people if people is not None else {}
    if moved and people is None:
        known = members.lock_ids(connection, plan.program_id, sorted(moved))
    found = {member_id: Followed() for member_id in member_ids}
    for move in moves:
        if move.past is not None:
            fired = _follow_past(connection, plan, move, slots)
            found[move.member_id].made += [entry for one in fired for entry in one.made]
            continue
        is_seen = move.hidden_by is None and not move.is_kept
        if is_seen:
            tier_log.write(plan, move, note=note if move.cause == "manual" else None)
        if not move.is_kept:
            _carry_on(plan, move, slots)
        person = known.get(move.member_id)
        if person is not None and person.is_erased:
            continue
        followed = found[move.member_id]
        if is_seen:
            fired = _follow_seen(connection, plan, move, person, slots=slots, followed=followed)
        else:
            fired = _follow_hidden(connection, plan, move, slots)
        followed.made += [entry for one in fired for entry in one.made]
    return found


def _ranked(move: LevelMove, slots: Slots) -> LevelMove:
    """The move with the rank of what stands in the place of a level that the ladder lost."""
    lost_key = move.before.lost_key
    return move if lost_key is None else replace(move, lost_rank=slots.of(lost_key).rank)


def _follow_seen(
    connection: sa.Connection,
    plan: Plan,
    move: LevelMove,
    person: Known | None,
    *,
    slots: Slots,
    followed: Followed,
) -> list[Fired]:
    """What follows from a move that the member sees; what they are told of it is noted."""
    if move.rise > 0:
        fired = _enter(connection, plan, move, person, slots=slots)
        followed.shown = firing.brought(plan, fired)
        return fired
    if move.before.lost_key is not None:
        # Nobody enters the level that a lost one leaves them on: it may be that level renamed.
        return _stand_again(connection, plan, move, _held(plan, move, slots))
    if move.rise < 0 and move.cause in _UNDOING_CAUSES:
        fired = _take_back(connection, plan, move, slots)
        if move.after.level == moving.base(plan.live.ladder):
            # Where everybody stands is entered once, with joining.
            return fired
        # What is left was there before: it led to this level from below.
        since = min(move.after.since, move.at)
        below = replace(move, before=NOWHERE, at=since)
        left = _enter(connection, plan, below, person, slots=slots)
        followed.shown = firing.brought(plan, left)
        return fired + left
    return []


def _follow_hidden(
    connection: sa.Connection, plan: Plan, move: LevelMove, slots: Slots
) -> list[Fired]:
    """What follows from a move beneath the level that the member sees: what a refund takes back it
    takes back unseen, and what is deserved again stands again. Nothing is entered unseen."""
    if move.rise > 0 and move.is_kept:
        return _thaw(connection, plan, move, slots)
    if move.rise > 0 or move.before.lost_key is not None:
        return _stand_again(connection, plan, move, _held(plan, move, slots))
    if move.rise < 0 and move.cause in _UNDOING_CAUSES:
        return _take_back(connection, plan, move, slots)
    return []


def _follow_past(
    connection: sa.Connection, plan: Plan, move: LevelMove, slots: Slots
) -> list[Fired]:
    """What a stay paid whose term is over goes with it, and comes back with it."""
    assert move.past is not None
    fired: list[Fired] = []
    for claim in plan.tier_claims[move.member_id]:
        if slots.of(claim.level_key).rank != move.after.rank:
            continue
        if claim.stands and move.past.is_lost(claim.since, claim.until):
            fired += _withdraw(connection, plan, claim, at=move.at)
        elif not claim.stands and move.past.is_back(claim.since, claim.until):
            claim.stands = True
            fired += _fire_again(connection, plan, claim, reason=None)
            claims.keep(plan.writes, plan.program_id, claim)
    return fired


def _carry_on(plan: Plan, move: LevelMove, slots: Slots) -> None:
    """Hold the claim of the level that was held for as long as it was, and still is: a stay that
    is renewed is one."""
    before, after = move.before, move.after
    if before.key is None:
        return
    own = [
        claim
        for claim in plan.tier_claims[move.member_id]
        if slots.of(claim.level_key).key == before.key
    ]
    # Of several the newest: one before it is of another stay, and would come to overlap it.
    claim = max(own, key=lambda one: (one.since, one.id), default=None)
    if claim is None or (claim.until is not None and claim.until <= before.since):
        return
    is_longer = claim.extend(before.ends_at)
    if after.key == before.key:
        is_longer = claim.extend(after.ends_at) or is_longer
    if is_longer:
        claims.keep(plan.writes, plan.program_id, claim)


def _held(plan: Plan, move: LevelMove, slots: Slots) -> list[Claim]:
    """The claims that entering the level which a move leads to is still covered by."""
    return [
        claim
        for claim in plan.tier_claims[move.member_id]
        if claim.is_of_stay(move.at, move.after.ends_at)
        and move.after.key is not None
        and slots.of(claim.level_key).key == move.after.key
    ]


def _enter(
    connection: sa.Connection,
    plan: Plan,
    move: LevelMove,
    person: Known | None,
    *,
    slots: Slots,
) -> list[Fired]:
    """Claim the level's effects; what they give now."""
    level_key = move.after.key
    if level_key is None:
        return []
    held = _held(plan, move, slots)
    if held and not move.is_brought:
        fired = _take_stopgaps(connection, plan, move, held, slots=slots)
        return fired + _stand_again(connection, plan, move, held)
    live = plan.live
    if held or not (live.rules_of(trigger_of(level_key)) or live.surprises.of("tier_entered")):
        return []
    claim = Claim(ids.new_id(), move.member_id, level_key, move.at, move.after.ends_at)
    plan.tier_claims[move.member_id].append(claim)
    fired = []
    is_brought = move.is_brought or move.cause in _UNPAID_CAUSES
    is_paid = not move.is_history and not is_brought
    if is_paid and person is not None and person.is_enrolled:
        fired.append(_pay(connection, plan, claim, person, move=move))
    claims.keep(plan.writes, plan.program_id, claim)
    return fired


def _stand_again(
    connection: sa.Connection, plan: Plan, move: LevelMove, held: Sequence[Claim]
) -> list[Fired]:
    """Entered again within the term: what was taken back comes back, and nothing more."""
    fired: list[Fired] = []
    taken = [] if any(claim.stands for claim in held) else held
    if _keeps(plan):
        # What a level paid that was kept is lost for good with the end of its term.
        taken = [claim for claim in taken if claim.covers(plan.now)]
    for claim in taken:
        claim.stands = True
        fired += _fire_again(connection, plan, claim, reason=None)
    for claim in held:
        if claim.extend(move.after.ends_at) or claim in taken:
            claims.keep(plan.writes, plan.program_id, claim)
    return fired


def _keeps(plan: Plan) -> bool:
    ladder = plan.live.ladder
    return ladder.has_term and ladder.on_refund == "until_term_end"


def _thaw(connection: sa.Connection, plan: Plan, move: LevelMove, slots: Slots) -> list[Fired]:
    """What was taken back beneath a level that was kept comes back: it is deserved again."""
    fired: list[Fired] = []
    for claim in plan.tier_claims[move.member_id]:
        slot = slots.of(claim.level_key)
        is_between = move.before.rank < slot.rank <= move.after.rank
        if not claim.stands and claim.covers(plan.now) and is_between:
            claim.stands = True
            fired += _fire_again(connection, plan, claim, reason=None)
            claims.keep(plan.writes, plan.program_id, claim)
    return fired


def _take_stopgaps(
    connection: sa.Connection,
    plan: Plan,
    move: LevelMove,
    held: Sequence[Claim],
    *,
    slots: Slots,
) -> list[Fired]:
    """Take back what lower levels paid since a refund took the level back that is deserved again
    now: they were paid in its place, if it is held from the same instant on."""
    lost = [claim.decision_id for claim in held if not claim.stands and claim.decision_id]
    if not lost or any(claim.stands for claim in held):
        return []
    fired: list[Fired] = []
    for claim in plan.tier_claims[move.member_id]:
        # Ids of decisions sort in the order in which they were made.
        is_later = claim.decision_id is not None and claim.decision_id > max(lost)
        is_stopgap = is_later and claim.since >= move.after.since
        if claim.stands and is_stopgap and slots.of(claim.level_key).rank < move.after.rank:
            fired += _withdraw(connection, plan, claim, at=move.at)
    return fired


def _take_back(connection: sa.Connection, plan: Plan, move: LevelMove, slots: Slots) -> list[Fired]:
    """Take back what entering the levels paid that the member was lowered from; but the level given
    by hand, or assured, is deserved all the same."""
    fired = list[Fired]()
    for claim in plan.tier_claims[move.member_id]:
        if not (claim.stands and claim.covers(plan.now)):
            continue
        slot = slots.of(claim.level_key)
        if move.hidden_by is not None and move.hidden_by in (slot.key, claim.level_key):
            continue
        if move.after.rank < slot.rank <= move.rank_before:
            fired += _withdraw(connection, plan, claim, at=move.at)
    return fired


def _withdraw(connection: sa.Connection, plan: Plan, claim: Claim, *, at: int) -> list[Fired]:
    """Take back what a claim paid, as of an instant."""
    claim.stands = False
    fired = _fire_again(connection, plan, claim, reason="not_paid", at=at)
    claims.keep(plan.writes, plan.program_id, claim)
    return fired


def _pay(
    connection: sa.Connection, plan: Plan, claim: Claim, person: Known, *, move: LevelMove
) -> Fired:
    facts = entry_facts.of_entry(connection, plan, claim, person, stood=move.after)
    own = {"tier.key": claim.level_key}
    own |= {} if move.before.key is None else {"tier.from_key": move.before.key}
    claim.pinned = Pinned(plan.live, facts, own)
    fired = firing.fire(
        connection,
        plan,
        claim.member_id,
        Source(SOURCE_TYPE, claim.level_key, claim.id, claim.since),
        trigger=trigger_of(claim.level_key),
        program=plan.live,
        member_facts=facts,
        own_facts=own,
    )
    claim.decision_id = fired.decision_id
    _settle(connection, plan, fired)
    return fired


def _fire_again(
    connection: sa.Connection,
    plan: Plan,
    claim: Claim,
    *,
    reason: Reason | None,
    at: int | None = None,
) -> list[Fired]:
    """Bring what a claim paid to what it deserves now, by what was pinned when it was paid; what
    is taken back is gone since `at`; unused rewards of a level that is kept rest to its end."""
    if claim.decision_id is None:
        return []
    pinned = claim.pinned or _read_pinned(connection, plan, claim.decision_id)
    claim.pinned = pinned
    fired = firing.fire(
        connection,
        plan,
        claim.member_id,
        Source(SOURCE_TYPE, claim.level_key, claim.id, claim.since),
        trigger=trigger_of(claim.level_key),
        program=pinned.program,
        member_facts=pinned.member_facts,
        own_facts=pinned.own_facts,
        reason=reason,
        is_new=False,
        decided_id=claim.decision_id,
        reversal_at=at,
        frozen_until=claim.until if _keeps(plan) else None,
    )
    claim.decision_id = fired.decision_id
    _settle(connection, plan, fired)
    return [fired]


def _read_pinned(connection: sa.Connection, plan: Plan, decision_id: bytes) -> Pinned:
    row = connection.execute(
        sa.select(DECISIONS.c.version, DECISIONS.c.switches, DECISIONS.c.facts).where(
            DECISIONS.c.program_id == plan.program_id, DECISIONS.c.id == decision_id
        )
    ).one()
    facts = jsontext.parse(row.facts)
    program = versions.get_compiled(connection, plan.program_id, row.version, row.switches)
    return Pinned(program, facts["member"], facts["own"])


def _settle(connection: sa.Connection, plan: Plan, fired: Fired) -> None:
    """What is late of the points by now happens now."""
    if fired.made:
        inactivity.follow(connection, plan, fired.member_id)
