"""Stamp cards: stamps follow what gave them, completions follow the stamps.

Read once a member and unit, carried in the plan, written with it. Refuses to pay what a completion
brings: `firing` does, for each claim that changed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, ids, outbox, rawsql
from loyalty.cards import folding
from loyalty.cards.folding import Mark
from loyalty.cards.held import Completion, HeldCard
from loyalty.cards.models import CardCompletion, Stamp
from members import members
from programs import versions
from programs.cards import Card
from programs.compiled import Compiled
from rewards import payables
from storefront.granting import showing
from storefront.plan import Plan, begin

STAMPS: sa.Table = Stamp.__table__  # type: ignore[assignment]
COMPLETIONS: sa.Table = CardCompletion.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Given:
    """What gave stamps, when, and how many on which card are deserved now."""

    type: str
    ref: str
    id: bytes
    at: int
    stamps: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A completion that changed: it is new, stands again, or stands no longer."""

    card_key: str
    completion: Completion
    is_new: bool


def concern(plan: Plan, program: Compiled) -> bool:
    """Whether what was decided by a version can have to do with cards at all."""
    return bool(program.cards or plan.live.cards)


def load(connection: sa.Connection, plan: Plan, member_id: bytes) -> dict[str, HeldCard]:
    """A member's cards by key, as this unit leaves them; read once."""
    held = plan.cards.get(member_id)
    if held is None:
        held = plan.cards[member_id] = _read(connection, plan.program_id, member_id)
    return held


def _read(connection: sa.Connection, program_id: bytes, member_id: bytes) -> dict[str, HeldCard]:
    mark = rawsql.mark(connection.dialect.name)
    where = f"WHERE program_id = {mark}1 AND member_id = {mark}2"
    rows = rawsql.run(
        connection,
        "SELECT card_key, 0 AS number, source_id AS id, stamps, at, recorded_at, NULL AS terms,"
        f" NULL AS stands, NULL AS decision_id FROM stamps {where}"
        " UNION ALL SELECT card_key, number, id, 0, completed_at, recorded_at, terms, stands,"
        f" decision_id FROM card_completions {where}",
        [program_id, member_id],
    )
    held: dict[str, HeldCard] = {}
    for key, number, id_, stamps, at, recorded_at, terms, stands, decision_id in rows:
        card = held.setdefault(key, HeldCard())
        if number == 0:
            card.marks[bytes(id_)] = Mark(bytes(id_), stamps, at, recorded_at)
        else:
            card.completions.append(
                Completion(
                    bytes(id_),
                    number,
                    folding.parse(terms),
                    bool(stands),
                    at,
                    recorded_at,
                    bytes(decision_id),
                )
            )
    for card in held.values():
        card.completions.sort(key=lambda one: one.number)
    return held


def bring(
    connection: sa.Connection, plan: Plan, member_id: bytes, given: Given, program: Compiled
) -> list[Claimed]:
    """Bring the stamps of a source to what it deserves by a version; the claims that changed, in
    the order in which they did. A card that was paused then gets nothing."""
    held = load(connection, plan, member_id)
    live = {card.key for card in program.cards if card.is_live}
    wanted = {key: stamps for key, stamps in given.stamps.items() if key in live}
    wanted |= {key: 0 for key, card in held.items() if given.id in card.marks and key not in wanted}
    claimed: list[Claimed] = []
    for key, stamps in wanted.items():
        card = held.setdefault(key, HeldCard())
        before = card.marks.get(given.id)
        if before is not None and (before.stamps, before.at) == (stamps, given.at):
            continue
        if before is None and not stamps:
            continue
        recorded_at = plan.now if before is None else before.recorded_at
        mark = Mark(given.id, stamps, given.at, recorded_at)
        _write_mark(plan, member_id, key, given, mark)
        changed = card.mark(mark, plan.live.card(key), zone=plan.live.zone, now=plan.now)
        claimed += [Claimed(key, one, one.decision_id is None) for one in changed]
    return claimed


def _write_mark(plan: Plan, member_id: bytes, card_key: str, given: Given, mark: Mark) -> None:
    plan.writes.replace(
        STAMPS,
        {
            "program_id": plan.program_id,
            "member_id": member_id,
            "card_key": card_key,
            "source_id": mark.source_id,
            "stamps": mark.stamps,
            "source_type": given.type,
            "source_ref": given.ref,
            "at": mark.at,
            "recorded_at": mark.recorded_at,
        },
    )


def write_claim(plan: Plan, member_id: bytes, claimed: Claimed, decision_id: bytes) -> None:
    """Write a claim with the decision that paid it or took it back; tell the world of a new one."""
    one = claimed.completion
    one.decision_id = decision_id
    plan.writes.replace(
        COMPLETIONS,
        {
            "program_id": plan.program_id,
            "id": one.id,
            "member_id": member_id,
            "card_key": claimed.card_key,
            "number": one.number,
            "terms": one.terms.text,
            "stands": one.stands,
            "completed_at": one.completed_at,
            "recorded_at": one.recorded_at,
            "decision_id": decision_id,
        },
    )
    if claimed.is_new:
        outbox.add(
            plan.writes,
            plan.program_id,
            type="card.completed",
            payload={
                "card": claimed.card_key,
                "number": one.number,
                "completed_at": clock.format_instant(one.completed_at),
            },
            now=plan.now,
            member_id=member_id,
        )


def note(plan: Plan, member_id: bytes, claimed: Claimed, *, earned: list[dict[str, Any]]) -> None:
    """Note what a completion brought, for the answer to what completed it."""
    noted = plan.completed.setdefault(member_id, {})
    key = (claimed.card_key, claimed.completion.number)
    if claimed.completion.stands:
        noted[key] = earned
    else:
        noted.pop(key, None)


def list_cards(connection: sa.Connection, program_id: bytes, member_ref: str) -> dict[str, Any]:
    """A member's cards as of the program's clock, whether a worker was there or not."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now)
    return {"data": show(connection, plan, known.id), "next_cursor": None}


def show(connection: sa.Connection, plan: Plan, member_id: bytes) -> list[dict[str, Any]]:
    """The live program's cards as this unit leaves them for a member."""
    if not plan.live.cards:
        return []
    held = load(connection, plan, member_id)
    return [_shown(plan, card, held.get(card.key) or HeldCard()) for card in plan.live.cards]


def show_after(connection: sa.Connection, plan: Plan, member_id: bytes) -> list[dict[str, Any]]:
    """The same, with what was completed since this was asked last, and what that brought."""
    noted = plan.completed.pop(member_id, {})
    if plan.is_mute:
        return []
    shown = show(connection, plan, member_id)
    for card in shown:
        completed = [
            {
                "number": number,
                "earned": earned,
                **_given(plan, member_id, key, number),
            }
            for (key, number), earned in sorted(noted.items(), key=lambda one: one[0])
            if key == card["key"]
        ]
        if completed:
            card["completed"] = completed
    return shown


def _given(plan: Plan, member_id: bytes, key: str, number: int) -> dict[str, Any]:
    """The rewards and the cash that a completion brought in this unit."""
    completions = plan.cards[member_id][key].completions
    one = next(each for each in completions if each.number == number)
    return {
        "grants": showing.known_of(plan, one.id, member_id),
        "payables": payables.owed_of(plan, one.id, member_id),
    }


def _shown(plan: Plan, card: Card, held: HeldCard) -> dict[str, Any]:
    folded, standing = held.fold(card, zone=plan.live.zone, at=plan.now), held.standing
    terms = held.terms_of(standing + 1, card)
    state = "open" if card.is_live else "paused"
    if terms is None:
        # It was completed, and there is no further one.
        terms, state = held.completions[standing - 1].terms, "completed"
    # Filled though nothing completed it (it became smaller since): the next stamp will.
    is_full = len(folded.completed_at) > standing
    stamps = terms.stamps - 1 if is_full else folded.stamps
    if state == "completed":
        stamps = terms.stamps
    is_dated = folded.first_at is not None and not is_full and state != "completed"
    return {
        "key": card.key,
        "name": card.name,
        "stamps": stamps,
        "required": terms.stamps,
        "completed_count": standing,
        "first_stamp_at": _instant(folded.first_at if is_dated else None),
        "expires_at": _instant(folded.expires_at if is_dated else None),
        "state": state,
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)


def as_quoted(
    connection: sa.Connection, plan: Plan, member_id: bytes, *, at: int, stamps: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The cards as an order would leave them, in a plan that is thrown away."""
    if not plan.live.cards:
        return []
    bring(connection, plan, member_id, Given("order", "", ids.new_id(), at, stamps), plan.live)
    return show(connection, plan, member_id)


def unite(connection: sa.Connection, plan: Plan, old_id: bytes, into_id: bytes) -> None:
    """Give the stamps and the claims of a member to the one they are merged into; what both fill
    together is for `fill`."""
    program_id = plan.program_id
    gone = _read(connection, program_id, old_id)
    if not gone:
        return
    kept = _read(connection, program_id, into_id)
    for member_id in (old_id, into_id):
        plan.cards.pop(member_id, None)
    for key, card in gone.items():
        both = kept.get(key) or HeldCard()
        for source_id in card.marks.keys() & both.marks.keys():
            # It passed from one to the other: where it went from, nothing is left of it.
            is_old_less = card.marks[source_id].stamps <= both.marks[source_id].stamps
            owner = old_id if is_old_less else into_id
            _forget_mark(connection, program_id, owner, key, source_id)
        both.unite(card)
        # Numbers are unique: on the way to their new ones they are below zero.
        for completion in both.completions:
            _update_claim(connection, program_id, completion.id, into_id, -completion.number)
        for completion in both.completions:
            _update_claim(connection, program_id, completion.id, into_id, completion.number)
    connection.execute(
        sa.update(STAMPS)
        .where(STAMPS.c.program_id == program_id, STAMPS.c.member_id == old_id)
        .values(member_id=into_id)
    )


def fill(connection: sa.Connection, plan: Plan, member_id: bytes) -> list[Claimed]:
    """Claim what a member's stamps fill though none of them completed it: they were stamps of two
    members before. A paused card is completed by nothing."""
    held = load(connection, plan, member_id)
    claimed: list[Claimed] = []
    for card in plan.live.cards:
        one = held.get(card.key)
        if one is not None and card.is_live:
            changed = one.fill(card, zone=plan.live.zone, now=plan.now)
            claimed += [Claimed(card.key, each, each.decision_id is None) for each in changed]
    return claimed


def _forget_mark(
    connection: sa.Connection, program_id: bytes, member_id: bytes, card_key: str, source_id: bytes
) -> None:
    connection.execute(
        sa.delete(STAMPS).where(
            STAMPS.c.program_id == program_id,
            STAMPS.c.member_id == member_id,
            STAMPS.c.card_key == card_key,
            STAMPS.c.source_id == source_id,
        )
    )


def _update_claim(
    connection: sa.Connection, program_id: bytes, id_: bytes, member_id: bytes, number: int
) -> None:
    connection.execute(
        sa.update(COMPLETIONS)
        .where(COMPLETIONS.c.program_id == program_id, COMPLETIONS.c.id == id_)
        .values(member_id=member_id, number=number)
    )


def forget(connection: sa.Connection, program_id: bytes, everyone: list[bytes]) -> None:
    """Remove the stamps of an erased member; that cards were completed stays, as entries do."""
    connection.execute(
        sa.delete(STAMPS).where(STAMPS.c.program_id == program_id, STAMPS.c.member_id.in_(everyone))
    )
