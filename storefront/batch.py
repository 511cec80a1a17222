"""Batches of orders: up to 500 at once, each converging by itself.

Ordinary orders (new, or of the member they had) are told together, in one unit of work for a
part of the batch: members locked in one statement, read in one, written in bulk. Whatever needs
more care, and a part whose unit fails, is told one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import db, ids
from core.errors import Problem, not_found
from loyalty import reading
from members import members
from members.members import Known
from orders import figures
from programs import versions
from storefront import finishing, limiting, orders, reads, standing
from storefront.plan import Plan, begin
from storefront.redeeming import named
from storefront.referring.rewarding import told_orders
from storefront.standing import Read
from storefront.telling import Telling, check_times, item_of
from storefront.vouchers import named as named_codes

_PART = 100


def put(
    program_id: bytes, bodies: Sequence[Mapping[str, Any]], *, actor: str | None
) -> list[dict[str, Any]]:
    """Tell many orders; a result for each, in their order."""
    results: list[dict[str, Any]] = [{}] * len(bodies)
    bodies, unknown = _resolved(program_id, bodies)
    failed: dict[str, Problem] = {}
    has_rewards = db.reading(lambda connection: _has_rewards(connection, program_id))
    for start in range(0, len(bodies), _PART):
        part = range(start, min(start + _PART, len(bodies)))
        told = [index for index in part if index not in unknown]
        together, rest = _split(bodies, told, waiting=set(failed), has_rewards=has_rewards)
        done = _tell_together(program_id, bodies, together, actor)
        for index, result in done.items():
            results[index] = result
        alone = sorted([*rest, *(index for index in together if index not in done)])
        for index in alone:
            results[index] = _tell_alone(program_id, bodies[index], actor, failed)
    for index in unknown:
        results[index] = _failed(bodies[index], not_found("order"))
    return results


def _has_rewards(connection: sa.Connection, program_id: bytes) -> bool:
    """Whether members may hold codes of others' rewards, which must be locked with them."""
    return bool(versions.get_live(connection, program_id)[0].catalogue.rewards)


def _resolved(
    program_id: bytes, bodies: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], set[int]]:
    """The orders under the storefront's references, and those whose id of ours is unknown."""
    found, unknown = list(bodies), set()
    for index, body in enumerate(bodies):
        if ids.read_id("ord", body["order_ref"]) is None:
            continue
        try:
            ref = reads.resolve_order_ref(program_id, body["order_ref"])
            found[index] = {**body, "order_ref": ref}
        except Problem:
            unknown.add(index)
    return found, unknown


def _split(
    bodies: Sequence[Mapping[str, Any]],
    part: Sequence[int],
    *,
    waiting: set[str],
    has_rewards: bool,
) -> tuple[list[int], list[int]]:
    """What can be told together (an order once, with a member), and what follows one by one."""
    seen: dict[str, int] = {}
    for index in part:
        ref = bodies[index]["order_ref"]
        seen[ref] = seen.get(ref, 0) + 1
    together, rest = [], []
    for index in part:
        body = bodies[index]
        member_ref = body.get("member_ref")
        # A member's orders keep their order: behind one that waits, the others wait too.
        is_alone = member_ref is None or named_codes.needs_care(body, has_rewards=has_rewards)
        if is_alone or seen[body["order_ref"]] > 1 or member_ref in waiting:
            rest.append(index)
            waiting.add(member_ref or "")
        else:
            together.append(index)
    return together, rest


def _tell_alone(
    program_id: bytes, body: Mapping[str, Any], actor: str | None, failed: dict[str, Problem]
) -> dict[str, Any]:
    """One order's result. Behind an order that could not be stored just now, the member's others
    are not told either: they would be decided out of their order."""
    member_ref = body.get("member_ref") or ""
    if member_ref in failed:
        return _failed(body, failed[member_ref])
    try:
        answer, status = orders.put(program_id, body["order_ref"], body, actor=actor)
    except Exception as error:
        problem = error if isinstance(error, Problem) else db.as_problem(error)
        if problem is None:
            raise
        if problem.status == 503 and member_ref:
            failed[member_ref] = problem
        return _failed(body, problem)
    return {"order_ref": body["order_ref"], "status": status, **answer}


def _failed(body: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    return {
        "order_ref": body["order_ref"],
        "status": problem.status,
        "problem": problem.shown(),
    }


def _tell_together(
    program_id: bytes,
    bodies: Sequence[Mapping[str, Any]],
    together: Sequence[int],
    actor: str | None,
) -> dict[int, dict[str, Any]]:
    """Results by index; what is missing must be told alone. Nothing when the unit failed."""
    if not together:
        return {}
    try:
        return db.in_transaction(
            lambda connection: _unit(connection, program_id, bodies, together, actor)
        )
    except Problem:
        return {}
    except Exception as error:
        if db.as_problem(error) is None and not db.is_refused(error):
            raise
        return {}


def _unit(
    connection: sa.Connection,
    program_id: bytes,
    bodies: Sequence[Mapping[str, Any]],
    together: Sequence[int],
    actor: str | None,
) -> dict[int, dict[str, Any]]:
    live = versions.expected(connection, program_id)
    tellings = _tellings(connection, program_id, live, bodies, together)
    if not tellings:
        return {}
    now = versions.get_live(connection, program_id)[1]
    for telling in tellings.values():
        telling.item = item_of(telling, live, now)
    items = [telling.item for telling in tellings.values() if telling.item is not None]
    reads = standing.read(connection, program_id, items)
    if reads[0].edition != live.edition:
        versions.expect(connection, program_id, reads[0].edition)
        raise db.Restart
    plan = begin(connection, live, now=now, actor=actor)
    for read in reads:
        plan.book.load(read.holdings)
    stored_ids = [read.stored.id for read in reads if read.stored and read.stored.decision_id]
    if stored_ids:
        plan.book.load((), reading.read_lots(connection, program_id, stored_ids))
    for member_id in {one.member.id for one in tellings.values() if one.member is not None}:
        plan.settle(member_id)
    _read_limits(connection, plan, tellings.values(), reads)
    named.load(plan, tellings.values(), reads)
    results: dict[int, dict[str, Any]] = {}
    waiting: set[bytes] = set()
    for (index, telling), read in zip(tellings.items(), reads, strict=True):
        assert telling.member is not None
        is_moved = read.stored is not None and read.stored.member_id != telling.member.id
        is_moved = is_moved or told_orders.needs_care(connection, plan, telling, read)
        if is_moved or telling.member.id in waiting:
            waiting.add(telling.member.id)
            continue
        try:
            check_times(telling.body, now)
        except Problem:
            continue
        answer, status = orders.decide_and_plan(connection, plan, telling, read)
        results[index] = {"order_ref": telling.order_ref, "status": status, **answer}
    finishing.write(connection, plan)
    return results


def _read_limits(
    connection: sa.Connection, plan: Plan, tellings: Iterable[Telling], reads: Sequence[Read]
) -> None:
    """What limits leave of the rules of all these orders, read in one statement."""
    asked: list[limiting.Asked] = []
    for telling, read in zip(tellings, reads, strict=True):
        assert telling.member is not None and telling.item is not None
        before = limiting.before_order(connection, plan, read.stored, telling.member.id)
        rules = plan.live.rules_of("order") if before is None else before.rules
        asked.append((rules, plan.live, telling.member.id, telling.item.at, before))
    limiting.read(connection, plan, asked)


def _tellings(
    connection: sa.Connection,
    program_id: bytes,
    live: Any,
    bodies: Sequence[Mapping[str, Any]],
    together: Sequence[int],
) -> dict[int, Telling]:
    """Tellings whose figures are sound and whose members are known, with the members locked."""
    refs = sorted({bodies[index]["member_ref"] for index in together})
    known_ids = members.find_all(connection, program_id, refs)
    if not known_ids:
        return {}
    locked = members.lock_ids(connection, program_id, sorted(set(known_ids.values())))
    tellings = {}
    for index in together:
        body = bodies[index]
        member: Known | None = locked.get(known_ids.get(body["member_ref"], ids.new_id()))
        if member is None:
            continue
        try:
            figures.check(body, currency=live.currency)
        except Problem:
            continue
        tellings[index] = Telling(body["order_ref"], body, member=member)
    return tellings
