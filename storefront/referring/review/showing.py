"""Referrals as staff sees them: a list that is a queue of reviews too, and one with everything.

Both parties are shown masked: enough to compare them and to know them again, not to write to them.
Signals say where something came from and when it was seen, never what it was; codes of vouchers
are left out. Refuses to change anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext, paging
from core.errors import not_found
from loyalty import reading
from loyalty.deserved import by_terms
from loyalty.exact import Earned, Share
from members import members
from members.members import MEMBERS
from orders.models import Order
from programs import versions
from programs.referrals import SIDES as SIDE_NAMES
from programs.referrals import SIGNALS, trigger_of
from referrals import referrals
from referrals.carried import REFERRALS, SIDES
from rewards import payables
from storefront import answers
from storefront.decisions import DECISIONS
from storefront.granting import showing as grants
from storefront.plan import Plan, begin
from storefront.referring.links.brought import SIDE_STATES as PAID_STATES

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_DAY = 86_400 * clock.SECOND
_R = REFERRALS.c
_advocate, _friend = MEMBERS.alias("advocate"), MEMBERS.alias("friend")
Shown = dict[str, Any]


def masked_email(text: str | None) -> str | None:
    """An address that only who knows it knows again: k***@g***.com."""
    if text is None:
        return None
    local, at, domain = text.rpartition("@")
    if not at:
        return "***"
    name, _, last = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***.{last}"


def masked_phone(text: str | None) -> str | None:
    """The last two digits of a number."""
    return None if text is None else f"***{''.join(one for one in text if one.isdigit())[-2:]}"


def masked_name(text: str | None) -> str | None:
    """The first symbol of a name."""
    return None if text is None else f"{text.strip()[:1]}***"


def find_all(connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]) -> Shown:
    """A page of referrals: newest first, those that wait for a review oldest first, unless it is
    asked otherwise; the queue of reviews with the number of referrals in each state. 404 for an
    unknown member."""
    states = set(query["state"].split(",")) if "state" in query else set()
    where: list[sa.ColumnElement[bool]] = [_R.program_id == program_id]
    for name, column in (("advocate", _R.advocate_id), ("friend", _R.friend_id)):
        if name in query:
            where.append(column == members.get(connection, program_id, query[name]).id)
    if "offer" in query:
        where.append(_R.offer_key == query["offer"])
    if states:
        where.append(_is_in(states))
    is_queue = states == {"in_review"}
    order = query.get("order", "oldest" if is_queue else "newest")
    is_by_score = order == "score"
    cursor = paging.read_cursor(query.get("cursor"), [int, str] if is_by_score else [str])
    if cursor:
        where.append(_is_after(order, cursor))
    rows = _rows(connection, where, limit=query["limit"] + 1, order=order)
    sides = _states_of_sides(connection, program_id, [row["id"] for row in rows])
    found = paging.page(
        rows,
        query["limit"],
        key=lambda row: [row["score_bp"]] * is_by_score + [_show_id(row)],
        show=lambda row: _in_list(row, sides.get(bytes(row["id"]), [])),
    )
    return found | {"counts": _counts(connection, program_id)} if is_queue else found


def _is_in(states: set[str]) -> sa.ColumnElement[bool]:
    """Referrals in one of these states, or whose advocate's side is."""
    of_sides = sorted(states.intersection(PAID_STATES))
    is_in = _R.state.in_(sorted(states.difference(of_sides)))
    if not of_sides:
        return is_in
    side = sa.exists().where(
        SIDES.c.program_id == _R.program_id,
        SIDES.c.referral_id == _R.id,
        SIDES.c.side == "advocate",
        SIDES.c.state.in_(of_sides),
    )
    return sa.or_(is_in, side)


def _is_after(order: str, cursor: Sequence[Any]) -> sa.ColumnElement[bool]:
    """What comes behind a cursor."""
    *score, shown = cursor
    after = paging.read_id(referrals.PREFIX, shown)
    if order == "newest":
        return _R.id < after
    if order == "oldest":
        return _R.id > after
    return sa.or_(_R.score_bp < score[0], sa.and_(_R.score_bp == score[0], _R.id > after))


def _show_id(row: Mapping[str, Any]) -> str:
    return ids.show_id(referrals.PREFIX, bytes(row["id"]))


def _in_list(row: Mapping[str, Any], sides: list[Shown]) -> Shown:
    """A referral as a list shows it: who both are, masked, and how far each side is."""
    people = {
        name: {
            "member_ref": row[f"{name}_ref"],
            "name": masked_name(row[f"{name}_name"]),
        }
        for name in ("advocate", "friend")
    }
    return _view(row) | people | {"sides": sides}


def _states_of_sides(
    connection: sa.Connection, program_id: bytes, referral_ids: Sequence[bytes]
) -> dict[bytes, list[Shown]]:
    """By referral, how far each of its sides is."""
    rows = connection.execute(
        sa.select(SIDES.c.referral_id, SIDES.c.side, SIDES.c.state, SIDES.c.reason).where(
            SIDES.c.program_id == program_id, SIDES.c.referral_id.in_(referral_ids)
        )
    ).tuples()
    found: dict[bytes, list[Shown]] = {}
    for referral_id, side, state, reason in sorted(rows, key=lambda one: SIDE_NAMES.index(one[1])):
        shown = {"side": side, "state": state, "reason": reason}
        found.setdefault(bytes(referral_id), []).append(shown)
    return found


def _rows(
    connection: sa.Connection,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    limit: int = 1,
    order: str = "oldest",
) -> list[Shown]:
    """Rows with the references and names of both, where these are not erased."""
    statement = sa.select(
        REFERRALS,
        sa.case((_advocate.c.erased_at.is_(None), _advocate.c.member_ref)).label("advocate_ref"),
        sa.case((_friend.c.erased_at.is_(None), _friend.c.member_ref)).label("friend_ref"),
        _advocate.c.name.label("advocate_name"),
        _friend.c.name.label("friend_name"),
    )
    for table, column in ((_advocate, _R.advocate_id), (_friend, _R.friend_id)):
        statement = statement.join(
            table, sa.and_(table.c.program_id == _R.program_id, table.c.id == column)
        )
    by = [_R.id.desc()] if order == "newest" else [_R.id.asc()]
    if order == "score":
        by.insert(0, _R.score_bp.desc())
    found = connection.execute(statement.where(*where).order_by(*by).limit(limit)).mappings()
    return [dict(one) for one in found]


def _counts(connection: sa.Connection, program_id: bytes) -> dict[str, int]:
    rows = connection.execute(
        sa.select(_R.state, sa.func.count())
        .where(_R.program_id == program_id)
        .group_by(_R.state)
        .order_by(_R.state)
    )
    return dict(rows.tuples().all())


def _view(row: Mapping[str, Any]) -> Shown:
    """What a list and the whole have in common."""
    return {
        "id": _show_id(row),
        "state": row["state"],
        "reason": row["reason"],
        "advocate_ref": row["advocate_ref"],
        "friend_ref": row["friend_ref"],
        "offer": row["offer_key"],
        "version": row["version"],
        "method": row["method"],
        "channel": row["channel"],
        "order_ref": row["order_ref"],
        "net_minor": row["net_minor"],
        "score_bp": row["score_bp"],
        "signals": [
            one | {"meaning": SIGNALS[one["signal"]][1]} for one in jsontext.parse(row["signals"])
        ],
        "approvals": jsontext.parse(row["approvals"]),
        "is_bound": bool(row["is_bound"]),
        "counts": bool(row["stands"]),
        **{
            name: _instant(row[name])
            for name in (
                *("clicked_at", "bound_at", "qualified_at", "hold_until", "approved_at"),
                *("due_at", "created_at", "updated_at"),
            )
        },
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)


def get(connection: sa.Connection, program_id: bytes, referral_ref: str) -> Shown:
    """One referral with everything; 404 when it is unknown."""
    referral_id = ids.read_id(referrals.PREFIX, referral_ref)
    if referral_id is None:
        raise not_found("referral")
    return show(connection, program_id, referral_id)


def show(connection: sa.Connection, program_id: bytes, referral_id: bytes) -> Shown:
    """The same by id, as it is stored."""
    rows = _rows(connection, [_R.program_id == program_id, _R.id == referral_id])
    if not rows:
        raise not_found("referral")
    [row] = rows
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    view = _view(row)
    advocate_ref, friend_ref = view.pop("advocate_ref"), view.pop("friend_ref")
    return view | {
        "cleared_bp": row["cleared_bp"],
        "advocate": _party(connection, plan, row, bytes(row["advocate_id"]), advocate_ref),
        "friend": _party(connection, plan, row, bytes(row["friend_id"]), friend_ref),
        "evidence": jsontext.parse(row["evidence"]),
        "sides": _sides(connection, plan, row),
        "transitions": [
            _transition(dict(one))
            for one in referrals.list_transitions(connection, program_id, referral_id)
        ],
    }


def _party(
    connection: sa.Connection,
    plan: Plan,
    row: Mapping[str, Any],
    member_id: bytes,
    member_ref: str | None,
) -> Shown:
    """Who one of both is, masked, and what the program knows of them."""
    member = members.get_row(connection, plan.program_id, member_id)
    of_program = ORDERS.c.program_id == plan.program_id
    orders = connection.execute(
        sa.select(sa.func.count()).where(
            of_program, ORDERS.c.member_id == member_id, ORDERS.c.stands
        )
    ).scalar_one()
    brought = connection.execute(
        sa.select(sa.func.count()).where(
            _R.program_id == plan.program_id, _R.advocate_id == member_id, _R.id != row["id"]
        )
    ).scalar_one()
    return {
        "member_ref": member_ref,
        "email": masked_email(member["email"]),
        "phone": masked_phone(member["phone"]),
        "name": masked_name(member["name"]),
        "joined_at": _instant(member["joined_at"]),
        "account_days": max(plan.now - member["joined_at"], 0) // _DAY,
        "is_enrolled": bool(member["is_enrolled"]),
        "orders_count": orders,
        "other_referrals_count": brought,
    }


def _sides(connection: sa.Connection, plan: Plan, row: Mapping[str, Any]) -> list[Shown]:
    found = (
        connection.execute(
            sa.select(SIDES, sa.case((MEMBERS.c.erased_at.is_(None), MEMBERS.c.member_ref)))
            .join(
                MEMBERS,
                sa.and_(
                    MEMBERS.c.program_id == SIDES.c.program_id, MEMBERS.c.id == SIDES.c.member_id
                ),
            )
            .where(SIDES.c.program_id == plan.program_id, SIDES.c.referral_id == row["id"])
        )
        .tuples()
        .all()
    )
    names = [column.name for column in SIDES.columns]
    sides = [(dict(zip(names, one[:-1], strict=True)), one[-1]) for one in found]
    sides.sort(key=lambda one: SIDE_NAMES.index(one[0]["side"]))
    return [
        _side(connection, plan, row, side) | {"member_ref": member_ref}
        for side, member_ref in sides
    ]


def _side(
    connection: sa.Connection, plan: Plan, row: Mapping[str, Any], side: Mapping[str, Any]
) -> Shown:
    """One side with what stands of what it brought."""
    side_id, member_id = bytes(side["id"]), bytes(side["member_id"])
    decision_id = None if side["decision_id"] is None else bytes(side["decision_id"])
    earned = [] if decision_id is None else _earned(connection, plan, row, side)
    payables.standing_of(plan, side_id)
    given = grants.hide_codes({"grants": grants.of_source(plan, side_id, member_id)})["grants"]
    return {
        "side": side["side"],
        "state": side["state"],
        "reason": side["reason"],
        "earned": earned,
        "grants": given,
        "payables": payables.owed_of(plan, side_id, member_id),
        "cost_minor": side["cost_minor"],
        "first_rewarded_at": _instant(side["first_rewarded_at"]),
        "decision_id": None if decision_id is None else ids.show_id("dec", decision_id),
    }


def _earned(
    connection: sa.Connection, plan: Plan, row: Mapping[str, Any], side: Mapping[str, Any]
) -> list[Shown]:
    """The points that its last decision found to be deserved."""
    decision = connection.execute(
        sa.select(
            *(DECISIONS.c.version, DECISIONS.c.switches, DECISIONS.c.outcomes),
            DECISIONS.c.effective_at,
        ).where(DECISIONS.c.program_id == plan.program_id, DECISIONS.c.id == side["decision_id"])
    ).one()
    program = versions.get_compiled(
        connection, plan.program_id, decision.version, decision.switches
    )
    rules = program.rules_of(trigger_of(side["side"], row["offer_key"]))
    earned = [
        Earned(
            points_key=one["points_key"],
            points=one["points"],
            breakdown=tuple(Share(*share) for share in one["breakdown"]),
            by_line=(),
            exact=one["exact"],
        )
        for one in jsontext.parse(decision.outcomes)["arithmetic"]
    ]
    return answers.shown_awards(
        plan,
        by_terms(program, rules, earned),
        earned_at=decision.effective_at,
        lots=reading.read_lots(connection, plan.program_id, [bytes(side["id"])]),
        decision_id=bytes(side["decision_id"]),
    )


def _transition(line: Mapping[str, Any]) -> Shown:
    """A line of the log."""
    detail = jsontext.parse(line["detail"])
    return {
        "number": line["number"],
        "side": line["side"],
        "from": line["from_state"],
        "to": line["to_state"],
        "cause": line["cause"],
        "reason": line["reason"],
        "action": detail.get("action"),
        "note": detail.get("note"),
        "actor": line["actor"],
        "effective_at": _instant(line["effective_at"]),
        "recorded_at": _instant(line["recorded_at"]),
    }
