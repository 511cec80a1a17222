"""Drawing: chances that a unit of work brings are taken up by the surprises that listen.

One draw for each surprise, member and happening, for ever: what has a receipt is never judged
again, and what follows is only that its prize stands or not. Refuses to pay: `giving` does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from members import members
from programs import versions
from programs.surprises import CERTAIN_PPM, Surprise
from rewards.carried import Row
from rewards.luck import epochs, receipts, rolling
from rewards.luck.epochs import Epoch
from rewards.surprises import holdout, judging
from rewards.surprises.carried import DRAWS, Chance
from rewards.surprises.judging import History, Left, Rolled
from rewards.surprises.pacing import expected_micro
from rules.limits import Room
from storefront import limiting
from storefront.plan import Plan
from storefront.surprising import earlier, giving, histories, pacing, placing, stocking
from storefront.surprising.earlier import Earlier
from storefront.surprising.placing import Place

_NO_HISTORY = History()
#: Less than any prize costs.
_NOTHING = -1


def follow(connection: sa.Connection, plan: Plan) -> list[dict[str, Any]]:
    """Take up every chance of the unit; the entries that were made."""
    made: list[dict[str, Any]] = []
    while plan.surprises.chances:
        made += _take_up(connection, plan, plan.surprises.chances.pop(0))
    return made


def rows_of(connection: sa.Connection, plan: Plan, source_id: bytes) -> list[Row]:
    """The receipts of a source, as this unit leaves them."""
    known = plan.surprises.of_source.get(source_id)
    if known is None:
        known = plan.surprises.of_source[source_id] = []
        statement = sa.select(DRAWS).where(
            DRAWS.c.program_id == plan.program_id, DRAWS.c.source_id == source_id
        )
        for row in connection.execute(statement.order_by(DRAWS.c.id)).mappings():
            plan.surprises.add(Row(dict(row)))
    plan.surprises.concerned |= {row.id: row for row in known}
    return known


def _take_up(connection: sa.Connection, plan: Plan, chance: Chance) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    known: list[Row] = []
    if not chance.is_new:
        known = rows_of(connection, plan, chance.source_id)
        known = [row for row in known if row.member_id == chance.member_id]
        for row in known:
            if row.won and not row.is_shadow:
                made += giving.follow(connection, plan, row, chance, stands=chance.stands)
    if not chance.stands:
        return made
    drawn = {row.surprise_key for row in known}
    listening = [
        one
        for one in plan.live.surprises.of(chance.trigger)
        if one.key not in drawn
        and (chance.keys is None or one.key in chance.keys)
        and (chance.pinned is None or chance.pinned.surprises.find(one.key) is not None)
    ]
    if listening:
        groups = _groups_taken(connection, plan, known)
        made += _judge(connection, plan, chance, listening, groups)
    elif chance.keys is None and not known and chance.decision is not None:
        # That it stood, and nothing listened: what listens later did not.
        _note(chance, [])
    return made


def _groups_taken(connection: sa.Connection, plan: Plan, known: Sequence[Row]) -> set[str]:
    """The groups in which something was won: as they were called then, and as they are by now."""
    found: set[str] = set()
    for row in known:
        if row.won and not row.is_shadow:
            then = versions.get_compiled(
                connection, plan.program_id, row.live_version, row.switches
            )
            for program in (then, plan.live):
                one = program.surprises.find(row.surprise_key)
                if one is not None and one.group is not None:
                    found.add(one.group)
    return found


def _judge(
    connection: sa.Connection,
    plan: Plan,
    chance: Chance,
    listening: Sequence[Surprise],
    groups: set[str],
) -> list[dict[str, Any]]:
    facts = {**chance.member_facts, **chance.own_facts}
    outcomes: list[dict[str, Any]] = []
    eligible: list[Surprise] = []
    before: Earlier | None = None
    for one in listening:
        why = judging.against(one, facts, at=chance.at, zone=plan.live.zone)
        if why is not None:
            outcomes.append({"rule": one.key, "is_fired": False, "reason": why})
            continue
        if not chance.is_new and chance.pinned is not None:
            before = before or earlier.read(connection, plan, chance)
            refused = before.against(one)
            if refused is not None:
                outcomes.append(refused)
                continue
        if one.every is not None:
            place = placing.take(connection, plan, one, chance)
            if not place.is_turn:
                outcomes.append(_not_their_turn(one, place))
                continue
        eligible.append(one)
    made: list[dict[str, Any]] = []
    if eligible:
        made = _draw_all(connection, plan, chance, eligible, groups, outcomes=outcomes)
    if chance.decision is not None:
        _note(chance, outcomes)
    return made


def _note(chance: Chance, outcomes: list[dict[str, Any]]) -> None:
    """Let the decision about what happened say what became of each surprise."""
    assert chance.decision is not None
    told = jsontext.parse(chance.decision["outcomes"]) | {"surprises": outcomes}
    chance.decision["outcomes"] = jsontext.text(told)


def _not_their_turn(surprise: Surprise, place: Place) -> dict[str, Any]:
    """Which one of the day the member is (None: they were counted before), as a reason."""
    shown: dict[str, Any] = {"rule": surprise.key, "is_fired": False, "reason": "condition_not_met"}
    return shown | {"place": place.number, "every": surprise.every}


def _draw_all(
    connection: sa.Connection,
    plan: Plan,
    chance: Chance,
    eligible: Sequence[Surprise],
    groups: set[str],
    *,
    outcomes: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    member_ref = _member_ref(connection, plan, chance.member_id)
    if member_ref is None:
        return []
    before, rooms, epoch = _before(connection, plan, chance, eligible)
    made: list[dict[str, Any]] = []
    for one in eligible:
        history = before.get(one.key, _NO_HISTORY)
        costs = giving.costs(connection, plan, one, chance)
        scope = _held_scope(plan, one, member_ref)
        stopped = judging.guard(
            one,
            at=chance.at,
            zone=plan.live.zone,
            is_held=scope is not None,
            taken=groups,
            history=history,
            left=_left(one, rooms, is_gone=stocking.is_gone(connection, plan, one)),
            dearest=max(costs),
        )
        pace, rolled = CERTAIN_PPM, None
        if stopped is None:
            pace = pacing.pace_ppm(connection, plan, one)
            rolled = judging.draw(
                one,
                epoch.seed,
                member_ref=member_ref,
                activity_ref=chance.activity_ref,
                pace_ppm=pace,
                losses=history.losses,
            )
        row = _receipt(
            plan,
            chance,
            one,
            member_ref=member_ref,
            stopped=stopped,
            scope=scope,
            pace=pace,
            losses=history.losses,
            rolled=rolled,
            costs=costs,
        )
        plan.surprises.draw(row)
        if row.won and not row.is_shadow:
            made += giving.pay(connection, plan, one, row, chance).made
            if one.group is not None:
                groups.add(one.group)
        outcomes.append(_outcome(row))
    return made


def _before(
    connection: sa.Connection, plan: Plan, chance: Chance, eligible: Sequence[Surprise]
) -> tuple[Mapping[str, History], Mapping[str, Room], Epoch]:
    """What these surprises did to the member before, what limits and budgets leave, and the epoch,
    which is open."""
    whose: dict[str, Any] = {"member_id": chance.member_id, "at": chance.at}
    known = None if plan.surprises.epoch else _remembered(connection, plan)
    found = histories.read(
        connection,
        plan.program_id,
        plan.surprises,
        eligible,
        **whose,
        epoch=None if known is None else known.number,
    )
    if found.is_open:
        plan.surprises.epoch = known
    counted = plan.live.surprises.counted.get(chance.trigger, ())
    rooms = limiting.rooms(connection, plan, plan.live, counted, **whose) if counted else {}
    if plan.surprises.epoch is None:
        plan.surprises.epoch = epochs.open_now(connection, plan.program_id, plan.now)
        _remember(connection, plan, plan.surprises.epoch)
    return found.by_key, rooms, plan.surprises.epoch


#: The epoch that a program drew in last: it may be closed by now, which is asked with the rest.
_epochs: dict[bytes, Epoch] = {}
_EPOCHS_MAX = 4096


def _remembered(connection: sa.Connection, plan: Plan) -> Epoch | None:
    """The epoch to ask for, if it is of today. A statement to ask for it costs nothing on SQLite,
    where programs of one id may live in several databases of one process."""
    if connection.dialect.name == "sqlite":
        return None
    known = _epochs.get(plan.program_id)
    return None if known is None or known.day < epochs.day_of(plan.now) else known


def _remember(connection: sa.Connection, plan: Plan, epoch: Epoch) -> None:
    if connection.dialect.name != "sqlite":
        if len(_epochs) >= _EPOCHS_MAX:
            _epochs.clear()
        _epochs[plan.program_id] = epoch


def _member_ref(connection: sa.Connection, plan: Plan, member_id: bytes) -> str | None:
    """The reference that the member was created with; None of one that was erased."""
    known = plan.surprises.people.get(member_id)
    if known is None:
        row = members.get_row(connection, plan.program_id, member_id)
        known = plan.surprises.people[member_id] = (
            None if row["erased_at"] is not None else row["member_ref"],
        )
    return known[0]


def _held_scope(plan: Plan, surprise: Surprise, member_ref: str) -> str | None:
    """Whose holdout the member is in: the program's, or else the surprise's own."""
    live, salt = plan.live, plan.live.holdout_salt
    if live.holdout_bp and holdout.is_held(holdout.program_salt(salt), member_ref, live.holdout_bp):
        return "program"
    own = holdout.rule_salt(salt, surprise.key)
    return "rule" if holdout.is_held(own, member_ref, surprise.holdout_bp) else None


def _left(surprise: Surprise, rooms: Mapping[str, Room], *, is_gone: bool) -> Left:
    limit = None if surprise.limit is None else rooms.get(surprise.limit.key)
    budget = None
    if is_gone:
        # A prize of which none is left is one that the budget cannot have.
        budget = _NOTHING
    elif surprise.budget is not None:
        budget = rooms[surprise.budget.rule.key].left
    return Left(is_limited=limit is not None and limit.is_closed, budget=budget)


def _receipt(
    plan: Plan,
    chance: Chance,
    surprise: Surprise,
    *,
    member_ref: str,
    stopped: str | None,
    scope: str | None,
    pace: int,
    losses: int,
    rolled: Rolled | None,
    costs: Sequence[int],
) -> Row:
    assert plan.surprises.epoch is not None
    values = {
        "program_id": plan.program_id,
        "id": ids.new_id(),
        "surprise_key": surprise.key,
        "version": surprise.version,
        "live_version": plan.live.version,
        "switches": plan.live.switches,
        "member_id": chance.member_id,
        "member_ref": member_ref,
        "trigger": chance.trigger,
        "source_type": chance.source_type,
        "source_ref": chance.source_ref,
        "source_id": chance.source_id,
        "activity_ref": chance.activity_ref,
        "guard": stopped,
        "holdout_scope": scope if stopped == "holdout" else None,
        "is_shadow": surprise.is_shadow,
        "probability_ppm": surprise.probability_ppm,
        "pace_ppm": pace,
        "threshold_ppm": rolling.threshold(surprise.probability_ppm, pace),
        "losses": losses,
        "pity_after": surprise.pity_after,
        "is_pity": rolled is not None and rolled.is_pity,
        "weights": jsontext.text(list(surprise.weights)),
        "roll": None if rolled is None else rolled.roll,
        "won": rolled is not None and rolled.prize is not None,
        "prize": None if rolled is None else rolled.prize,
        "stands": False,
        "why_fallen": None,
        "cost": 0,
        # What an empty budget stopped was asked for all the same.
        "expected_cost_micro": None
        if surprise.budget is None or stopped not in (None, "budget")
        else expected_micro(surprise.probability_ppm, surprise.weights, costs),
        "decision_id": None,
        "epoch": plan.surprises.epoch.number,
        "is_erased": False,
        "drawn_at": chance.at,
        "recorded_at": plan.now,
        "seen_at": None,
    }
    values["body_hash"] = rolling.body_hash(receipts.body_of(values))
    return Row(values, is_new=True)


def _outcome(row: Row) -> dict[str, Any]:
    """What became of a surprise, as the decision about what happened stores it."""
    reason = row.guard or (None if row.won else "lost")
    shown = {"rule": row.surprise_key, "is_fired": row.won and not row.is_shadow}
    shown["draw_id"] = ids.show_id(giving.PREFIX, row.id)
    if reason is not None:
        shown["reason"] = reason
    if row.is_shadow:
        shown["is_shadow"] = True
    return shown
