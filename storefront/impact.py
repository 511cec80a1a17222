"""The impact of a draft before it is published: who changes tier, which rules win and lose.

Tiers are counted over all members by one statement, rules over the newest stored orders. Everything
is read in one transaction that cannot write, and ends after a while if it must.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty.tiers import moving, outlook, sums
from loyalty.tiers.contributions import History
from loyalty.tiers.keeping import read_rows
from loyalty.tiers.outlook import Outlook
from loyalty.tiers.standing import Place, place_of
from loyalty.tiers.sums import Scope
from programs import drafts, switches, versions
from programs.compiled import Compiled, compile_document
from storefront import deciding_again
from storefront.deciding_again import Comparison
from storefront.tiers import contributing

ORDERS_DEFAULT, ORDERS_MAX = 1_000, 5_000
#: The statement over all members is given up after so long.
TIMEOUT_MS = 60_000
_PORTION = 500

Pairs = Counter[tuple[Outlook, Outlook]]


def preview(connection: sa.Connection, program_id: bytes, *, orders: int) -> dict[str, Any]:
    """What publishing the draft would change, against the live version."""
    live, now = versions.get_live(connection, program_id)
    document, _ = drafts.read(connection, program_id)
    # Switches stay in force over a publication.
    thrown = switches.in_force(connection, program_id, upto=live.switches)
    document = switches.switched(versions.validate(document), thrown)
    draft = compile_document(program_id, live.version + 1, document)
    sums.widen(connection, timeout_ms=TIMEOUT_MS)
    pairs = count(connection, live, draft, now=now)
    compared = deciding_again.compare(connection, live, draft, limit=orders)
    return {
        "version": live.version,
        "tiers": {
            "now": _changes((one.now, other.now, n) for (one, other), n in pairs.items()),
            "at_term_end": _changes(
                (one.at_end, other.at_end, n) for (one, other), n in pairs.items()
            ),
            "levels": _levels(live, draft, pairs),
        },
        "rules": _rules(compared),
        "points": _points(live, compared),
        "orders": compared.orders,
        "from": _instant(compared.first_at),
        "to": _instant(compared.last_at),
        "notes": _notes(live, draft, compared),
    }


def count(connection: sa.Connection, live: Compiled, draft: Compiled, *, now: int) -> Pairs:
    """How many members have which outlook under the live version and under the draft."""
    program_id = live.program_id
    scopes = (Scope(live.ladder, live.zone, now), Scope(draft.ladder, draft.zone, now))
    ends = outlook.terms(connection, program_id)
    pairs: Pairs = Counter()
    for pair, members in outlook.count(connection, program_id, scopes, ends):
        pairs[pair] += members
    odd = []
    if any(scope.counts_points for scope in scopes):
        odd = sums.list_odd(connection, program_id)
    for start in range(0, len(odd), _PORTION):
        part = odd[start : start + _PORTION]
        rows = read_rows(connection, program_id, part)
        told = contributing.read_many(
            connection,
            program_id,
            part,
            counts_referrals=any(scope.counts_referrals for scope in scopes),
        )
        for member_id in part:
            contributions = sorted((one for _, one in told[member_id]), key=lambda one: one.at)
            first, second = (
                outlook_of(
                    scope,
                    place_of(scope.ladder, rows.get(member_id)),
                    History(scope.ladder, contributions, scope.zone),
                )
                for scope in scopes
            )
            pairs[first, second] += 1
    return pairs


def outlook_of(scope: Scope, place: Place, history: History) -> Outlook:
    """The same for one member, from everything that they did."""
    ladder, now, zone = scope.ladder, scope.now, scope.zone
    derived = place.derived
    values = history.values(now)
    if ladder.has_term and derived.level is not None and derived.until is None:
        derived = replace(derived, until=moving.term_end(ladder, now, zone))
    derived = moving.bought(ladder, derived, values, at=now, zone=zone)
    shown = place.with_derived(derived).shown(now).key
    at, after = now, derived
    for _ in range(2):
        if after.level != derived.level or after.ends_at is None:
            break
        at = after.ends_at
        steps = moving.forward(ladder, after, history, to=at)
        if not steps or steps[-1][1].grace_until is None:
            after = steps[-1][1] if steps else after
            break
        after = steps[-1][1]
    return Outlook(shown, place.with_derived(after).shown(at).key)


def _changes(found: Iterable[tuple[str | None, str | None, int]]) -> list[dict[str, Any]]:
    counted: Counter[tuple[str | None, str | None]] = Counter()
    for before, after, members in found:
        if before != after:
            counted[before, after] += members
    return [
        {"from": before, "to": after, "members": members}
        for (before, after), members in sorted(
            counted.items(), key=lambda item: (item[0][0] or "", item[0][1] or "")
        )
    ]


def _levels(live: Compiled, draft: Compiled, pairs: Pairs) -> list[dict[str, Any]]:
    keys = [level.key for level in live.ladder.levels]
    keys += [level.key for level in draft.ladder.levels if level.key not in keys]
    found = {key: [0, 0, 0, 0] for key in keys}
    for (one, other), members in pairs.items():
        for place, key in enumerate((one.now, other.now, one.at_end, other.at_end)):
            if key is not None:
                found[key][place] += members
    names = (
        "members_before",
        "members_after",
        "members_at_term_end_before",
        "members_at_term_end_after",
    )
    return [{"key": key, **dict(zip(names, found[key], strict=True))} for key in keys]


def _rules(compared: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "fired_before": rule.fired[0],
            "fired_after": rule.fired[1],
            "points_before": rule.points[0],
            "points_after": rule.points[1],
            "won": rule.won,
            "lost": rule.lost,
        }
        for key, rule in sorted(compared.rules.items())
    ]


def _points(live: Compiled, compared: Comparison) -> list[dict[str, Any]]:
    days = 1
    if compared.first_at is not None and compared.last_at is not None:
        first, last = (
            clock.local_date(at, live.zone) for at in (compared.first_at, compared.last_at)
        )
        days = (last - first).days + 1
    return [
        {
            "points_key": key,
            "per_day_before": before // days,
            "per_day_after": after // days,
            "total_before": before,
            "total_after": after,
        }
        for key, (before, after) in sorted(compared.totals.items())
    ]


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)


def _notes(live: Compiled, draft: Compiled, compared: Comparison) -> list[str]:
    """What the reader must know of how it was counted."""
    notes = ["Orders are judged with the facts of their members that were pinned with them."]
    if any(rule.limits for one in (live, draft) for rule in one.rules_of("order")):
        notes.append("Of limits only what these orders take is counted: each begins unused.")
    if live.surprises.all or draft.surprises.all:
        notes.append("Surprises are not looked at here: a back-test tells what they would cost.")
    if compared.unmeasured:
        notes.append(
            f"{compared.unmeasured} times an order was judged by a ladder that measures something"
            " else than was pinned with it: its member counts as having begun at zero."
        )
    return notes
