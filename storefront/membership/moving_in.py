"""Moving in: members of a shop with what they bring along, up to 500 at once.

History is told in parts, one unit of work each: members found and locked in one statement, read
in a few, written in bulk. It claims contacts, pays nothing and tells nobody. Anybody else signs up
as usual, alone. Each member converges, so the same batch again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids
from core.errors import Problem
from loyalty import reading
from loyalty.tiers import keeping as tiers
from loyalty.tiers.standing import Assured
from members import contacts, members
from members.members import CLAIMS, CONSENTS, DIGESTS, MEMBERS, Known
from programs import versions
from storefront import answers, due, finishing, standing
from storefront.membership import openings, signup
from storefront.plan import Plan, begin
from storefront.tiers import places, tier_entries

_PART = 100
_CONSENT = ("purpose", "channel", "is_granted", "at", "source", "text_version")
Body = Mapping[str, Any]
_WITHOUT_HISTORY = answers.problem(
    "opening_without_history",
    "/opening",
    "was posted, but without is_history the member signed up as a new one: signup effects were"
    " paid and messages sent, unless they had been before",
)
_HISTORY = answers.problem(
    "history_without_referral",
    "/referral",
    "was not looked at: whoever moves in as history is brought by nobody",
)


def put(program_id: bytes, bodies: Sequence[Body], *, actor: str | None) -> list[dict[str, Any]]:
    """Tell many members; a result for each, in their order."""
    results: list[dict[str, Any]] = []
    for part in _parts(bodies):
        done: dict[int, dict[str, Any]] = {}
        if len(part) > 1:
            done = _tell_together(program_id, part, actor)
        for index, body in enumerate(part):
            results.append(done.get(index) or _tell_alone(program_id, body, actor))
    return results


def _parts(bodies: Sequence[Body]) -> list[list[Body]]:
    """Runs of history, no reference twice in one; whoever signs up as usual is a part alone."""
    parts: list[list[Body]] = []
    seen: set[str] = set()
    is_open = False
    for body in bodies:
        ref, is_history = body["member_ref"], body["is_history"]
        if is_open and is_history and ref not in seen and len(parts[-1]) < _PART:
            parts[-1].append(body)
            seen.add(ref)
        else:
            parts.append([body])
            is_open, seen = is_history, {ref}
    return parts


def _failed(body: Body, problem: Problem) -> dict[str, Any]:
    return {
        "member_ref": body["member_ref"],
        "status": problem.status,
        "problem": problem.shown(),
    }


def _tell_together(
    program_id: bytes, part: Sequence[Body], actor: str | None
) -> dict[int, dict[str, Any]]:
    """Results by index; what is missing must be told alone. Nothing when the unit failed."""
    try:
        return db.in_transaction(
            lambda connection: _move_in(connection, program_id, part, actor=actor)
        )
    except Problem:
        return {}
    except Exception as error:
        if db.as_problem(error) is None and not db.is_refused(error):
            raise
        return {}


def _tell_alone(program_id: bytes, body: Body, actor: str | None) -> dict[str, Any]:
    """One member's result."""

    def unit(connection: sa.Connection) -> dict[str, Any]:
        if body["is_history"]:
            return _move_in(connection, program_id, [body], actor=actor)[0]
        return _sign_up(connection, program_id, body, actor=actor)

    try:
        return db.in_transaction(unit)
    except Exception as error:
        problem = error if isinstance(error, Problem) else db.as_problem(error)
        if problem is None:
            raise
        return _failed(body, problem)


def _sign_up(
    connection: sa.Connection, program_id: bytes, body: Body, *, actor: str | None
) -> dict[str, Any]:
    """A member who signs up as usual, and what they bring along."""
    ref, opening = body["member_ref"], body.get("opening")
    answer, status = signup.tell(connection, program_id, ref, body, actor=actor)
    if opening is not None:
        answer |= _open(connection, program_id, ref, opening, actor=actor)
        answer["problems"] = [*answer["problems"], _WITHOUT_HISTORY]
    return {"member_ref": ref, "status": status, **answer}


def _open(
    connection: sa.Connection,
    program_id: bytes,
    member_ref: str,
    opening: Mapping[str, Any],
    *,
    actor: str | None,
) -> dict[str, Any]:
    """Post the opening of a member who has just been told; what of the answer it changes."""
    known = members.find(connection, program_id, member_ref, is_locking=True)
    assert known is not None
    live, now = versions.get_live(connection, program_id)
    posted = openings.posted(connection, program_id, [known.id])
    if not openings.is_news(live, opening, posted.get(known.id, ()), now=now):
        return {}
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    promise = openings.post(plan, known.id, opening)
    tier_entries.follow(connection, plan)
    finishing.write(connection, plan)
    tiers.assure(connection, program_id, {} if promise is None else {known.id: promise})
    row = members.get_row(connection, program_id, known.id)
    return {
        "member": signup.show(connection, plan, row),
        "balances": answers.balances(plan, known.id),
    }


@dataclass(slots=True)
class _Mover:
    """One member of a part: what was told, the row, and whether the member is new."""

    body: Body
    row: dict[str, Any]
    is_new: bool


def _move_in(
    connection: sa.Connection, program_id: bytes, part: Sequence[Body], *, actor: str | None
) -> dict[int, dict[str, Any]]:
    """The unit of a part of history: results by index, problems too."""
    live, now = versions.get_live(connection, program_id)
    found = members.find_all(connection, program_id, [body["member_ref"] for body in part])
    locked = members.lock_ids(connection, program_id, sorted(set(found.values())))
    known_ids = sorted({known.id for known in locked.values()})
    rows = _rows(connection, program_id, known_ids)
    posted = openings.posted(connection, program_id, known_ids)
    plan = begin(connection, live, now=now, actor=actor)
    due.load(connection, plan, known_ids)
    results: dict[int, dict[str, Any]] = {}
    movers: dict[int, _Mover] = {}
    promises: dict[bytes, Assured] = {}
    seen: set[bytes] = set()
    for index, body in enumerate(part):
        known = locked.get(found.get(body["member_ref"], b""))
        if known is not None and known.id in seen:
            # Two references of one member: the second is told alone, after the first.
            continue
        opening = body.get("opening")
        try:
            signup.check(body, now)
            if known is None:
                signup.check_ref(body["member_ref"])
            before = posted.get(known.id, ()) if known else ()
            is_news = opening is not None and openings.is_news(live, opening, before, now=now)
        except Problem as problem:
            results[index] = _failed(body, problem)
            continue
        mover = movers[index] = _mover(connection, plan, body, known, rows)
        seen.add(mover.row["id"])
        if opening is not None and is_news:
            promise = openings.post(plan, mover.row["id"], opening)
            if promise is not None:
                promises[mover.row["id"]] = promise
    _claim(connection, plan, [mover.row for mover in movers.values() if mover.is_new])
    consents = _consent(connection, plan, list(movers.values()))
    tier_entries.follow(connection, plan)
    finishing.write(connection, plan)
    tiers.assure(connection, program_id, promises)
    shown = _answers(connection, plan, movers, consents)
    return results | shown


def _rows(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> dict[bytes, dict[str, Any]]:
    if not member_ids:
        return {}
    rows = connection.execute(
        sa.select(MEMBERS).where(MEMBERS.c.program_id == program_id, MEMBERS.c.id.in_(member_ids))
    ).mappings()
    return {bytes(row["id"]): dict(row) for row in rows}


def _mover(
    connection: sa.Connection,
    plan: Plan,
    body: Body,
    known: Known | None,
    rows: Mapping[bytes, dict[str, Any]],
) -> _Mover:
    """The member's row as it is to be: a new one is planned, a changed one is updated."""
    if known is None:
        joined_at = min(body.get("joined_at", plan.now), plan.now)
        row = members.insert(
            plan.writes,
            plan.program_id,
            body["member_ref"],
            body,
            joined_at=joined_at,
            now=plan.now,
        )
        for kind, value in members.contact_digests(plan.program_id, row):
            plan.writes.insert(
                DIGESTS,
                {
                    "program_id": plan.program_id,
                    "kind": kind,
                    "digest": value,
                    "member_id": row["id"],
                },
            )
        for points_kind in plan.live.points:
            plan.book.load_open(row["id"], points_kind.key, ())
        return _Mover(body, row, is_new=True)
    plan.settle(known.id)
    row, values = rows[known.id], members.columns(body)
    if "joined_at" in values:
        values["joined_at"] = min(values["joined_at"], plan.now)
    if any(row[name] != value for name, value in values.items()):
        row = signup.update(connection, plan, known, body)
    signup.note_told(connection, plan, row)
    return _Mover(body, row, is_new=False)


def _claim(connection: sa.Connection, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
    """Claim the signup effects for everybody new: whoever moves in had their welcome elsewhere."""
    wanted: dict[tuple[str, bytes], tuple[Mapping[str, Any], list[bytes]]] = {}
    for row in rows:
        for kind in ("email", "phone"):
            value = contacts.canonical(kind, row[kind]) if row[kind] else None
            if value is not None:
                accepted = contacts.digests(plan.program_id, kind, value)
                wanted.setdefault((kind, accepted[0]), (row, accepted))
    if not wanted:
        return
    every = [value for _, accepted in wanted.values() for value in accepted]
    taken = {
        (kind, bytes(value)): ends_at
        for kind, value, ends_at in connection.execute(
            sa.select(CLAIMS.c.kind, CLAIMS.c.digest, CLAIMS.c.ends_at).where(
                CLAIMS.c.program_id == plan.program_id, CLAIMS.c.digest.in_(every)
            )
        )
    }
    for (kind, current), (row, accepted) in wanted.items():
        ends = [taken[kind, value] for value in accepted if (kind, value) in taken]
        if not ends:
            plan.writes.insert(
                CLAIMS,
                {
                    "program_id": plan.program_id,
                    "kind": kind,
                    "digest": current,
                    "claimed_at": plan.now,
                    "member_id": row["id"],
                    "ends_at": None,
                },
            )
        elif not any(ends_at is None or ends_at > plan.now for ends_at in ends):
            members.claim_signup(
                connection, plan.program_id, {"id": row["id"], kind: row[kind]}, now=plan.now
            )


def _consent(
    connection: sa.Connection, plan: Plan, movers: Sequence[_Mover]
) -> dict[bytes, list[Any]]:
    """Statements of consent by member, those told for the first time planned as well."""
    found: dict[bytes, list[Any]] = {mover.row["id"]: [] for mover in movers}
    old = [mover.row["id"] for mover in movers if not mover.is_new]
    if old:
        rows = connection.execute(
            sa.select(CONSENTS)
            .where(CONSENTS.c.program_id == plan.program_id, CONSENTS.c.member_id.in_(old))
            .order_by(CONSENTS.c.recorded_at, CONSENTS.c.id)
        )
        for row in rows:
            found[bytes(row.member_id)].append(row)
    for mover in movers:
        of_member = found[mover.row["id"]]
        known = {tuple(getattr(one, name) for name in _CONSENT) for one in of_member}
        for consent in mover.body.get("consents") or ():
            key = tuple(consent[name] for name in _CONSENT)
            if key not in known:
                known.add(key)
                of_member.append(_planned_consent(plan, mover.row["id"], consent))
    return found


def _planned_consent(plan: Plan, member_id: bytes, consent: Mapping[str, Any]) -> Any:
    values = {
        "program_id": plan.program_id,
        "member_id": member_id,
        "id": ids.new_id(),
        "recorded_at": clock.Instant(plan.now),
        **{name: consent[name] for name in _CONSENT},
    }
    plan.writes.insert(CONSENTS, values)
    return _Statement(**{name: consent[name] for name in _CONSENT})


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement of consent in the shape of its row."""

    purpose: str
    channel: str | None
    is_granted: bool
    at: int
    source: str
    text_version: str | None


def _answers(
    connection: sa.Connection,
    plan: Plan,
    movers: Mapping[int, _Mover],
    consents: Mapping[bytes, Sequence[Any]],
) -> dict[int, dict[str, Any]]:
    if not movers:
        return {}
    items = [signup.item_now(plan.live, mover.row["id"], plan.now) for mover in movers.values()]
    reads = standing.read(connection, plan.program_id, items)
    results = {}
    for (index, mover), read in zip(movers.items(), reads, strict=True):
        member_id = mover.row["id"]
        seen = places.view(connection, plan, member_id, read)
        results[index] = {
            "member_ref": mover.body["member_ref"],
            "status": 201 if mover.is_new else 200,
            "member": answers.member(plan.live, mover.row, consents[member_id], seen),
            "earned": [],
            "balances": answers.balances(plan, member_id),
            # Nobody is brought who was there before; their orders say that they are not new.
            "referral": None,
            "surprises": [],
            "problems": [_HISTORY] if mover.body.get("referral") else [],
        }
    return results
