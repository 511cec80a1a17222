"""Decisions for the reader: facts, every rule with its outcome and condition, the arithmetic.

Conditions are explained when asked, from the pinned version and the pinned facts: both are fixed,
so the explanation is what was decided by.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext, language
from core.errors import not_found
from core.language import Text
from loyalty import reading, records, showing
from loyalty.exact import TIER_RULE
from loyalty.ledger.entries import default_change
from members import members
from programs import triggers, versions
from programs.compiled import Compiled
from programs.models import Decision
from programs.referrals import TRIGGER as REFERRAL_QUALIFIED
from programs.rules import Rule
from rules.conditions import Explanation, first_unmet
from rules.facts import Catalogue, Facts
from rules.outcomes import REASONS, Outcome, Reason
from storefront.decide import Pinned
from storefront.explanations import (
    explaining,
    missed_days,
    missing,
    redeemed,
    referred,
    surprised,
)
from storefront.explanations.explaining import About
from storefront.explanations.missed_days import Missed
from storefront.explanations.surprised import Drawn
from storefront.standing import StoredOrder

DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]
_SHORT_TRIGGERS = ("tier_entered", "card_completed", surprised.SOURCE_TYPE)


@dataclass(frozen=True, slots=True)
class Told:
    """A decision as stored, with the program and the rules that it was made by, in words."""

    id: bytes | None
    program: Compiled
    source_type: str
    source_ref: str
    trigger: str
    facts: dict[str, Any]
    outcomes: dict[str, Any]
    missed: Missed | None = None
    drawn: tuple[Drawn, ...] = ()

    @property
    def shown_trigger(self) -> str:
        """The trigger as documents write it: which level or card it was is its reference."""
        kind = self.trigger.partition(":")[0]
        if self.source_type in referred.TYPES:
            return REFERRAL_QUALIFIED
        return kind if kind in _SHORT_TRIGGERS else self.trigger

    @property
    def rules(self) -> dict[str, Rule]:
        """The rules that were decided, by key."""
        return {rule.key: rule for rule in self.program.rules_of(self.trigger)}

    @property
    def seen(self) -> dict[str, Any]:
        """The facts that conditions were judged by."""
        facts = self.facts
        return {**facts["member"], **facts.get("order", {}), **facts.get("own", {})}

    @property
    def about(self) -> About:
        """What was decided on, in words."""
        found = explaining.about(
            self.program,
            (self.source_type, self.source_ref),
            self.trigger,
            status=self.facts.get("status"),
            missed=self.missed,
        )
        words = referred.of_decision(self.trigger, self.facts)
        words = words or surprised.of_decision(self.program, self.trigger)
        return found if words is None else replace(found, words=words)

    @property
    def summary(self) -> Text:
        """The whole of it in a sentence."""
        return explaining.decision(
            self.program,
            self.about,
            self.outcomes,
            rules=self.rules,
            tier_key=(self.facts.get("tier") or {}).get("key"),
        )

    def arithmetic(self) -> list[dict[str, Any]]:
        """How the points of each kind came about: what each rule and the tier gave, the exact sum
        and how it was rounded."""
        return [
            stored
            | {
                "rounding": self.program.rounding,
                "breakdown": [
                    {"rule": rule, "points": points, "detail": detail}
                    for rule, points, detail in stored["breakdown"]
                ],
            }
            for stored in self.outcomes["arithmetic"]
        ]

    def tier(self) -> dict[str, Any] | None:
        """The level before an order, and the factor that it gave."""
        tier: dict[str, Any] | None = self.facts.get("tier")
        if tier is None:
            return None
        level = self.program.ladder.find(tier.get("key"))
        details = [
            detail
            for one in self.outcomes["arithmetic"]
            for rule, _, detail in one["breakdown"]
            if rule == TIER_RULE
        ]
        name = None if level is None else language.name_of(level.name, level.key)
        return tier | {"name": name, "factor": details[0] if details else "× 1"}

    def explained(self) -> list[dict[str, Any]]:
        """Every rule with its outcome, its points, its condition, and what would have changed
        it."""
        rules, whole = self.rules, {**self.seen, **self.facts.get("order_whole", {})}
        source = self.about
        return [
            self._outcome(stored, rules, whole=whole, source=source)
            for stored in self.outcomes["rules"]
        ]

    def surprised(self) -> list[dict[str, Any]]:
        """Every surprise that listened, with what became of it."""
        return surprised.explained(
            self.program,
            self.outcomes.get("surprises") or (),
            self.drawn,
            facts=self.seen,
            catalogue=self._catalogue(),
        )

    def _catalogue(self) -> Catalogue | None:
        """The facts that the rules could ask for."""
        kind = self.shown_trigger.partition(":")[0]
        activities = self.program.activities
        return triggers.find_facts(self.trigger, activities) or triggers.find_facts(kind)

    def _outcome(
        self,
        stored: dict[str, Any],
        rules: dict[str, Rule],
        *,
        whole: dict[str, Any],
        source: About,
    ) -> dict[str, Any]:
        rule, shown = rules.get(stored["rule"]), dict(stored)
        reason = shown.get("reason")
        shown["name"] = explaining.called(self.program, stored["rule"], rule)
        if reason is not None:
            shown.setdefault("detail", self._detail(reason))
        found: list[missing.Missing] = []
        others: list[list[missing.Missing]] = []
        if rule is not None:
            facts = whole if rule.is_kept_on_refund else self.seen
            shown["conditions"] = rule.when.explain(facts)
            if reason == "condition_not_met":
                shown["unmet"] = first_unmet(shown["conditions"])
            found, others = self._missing(stored, rule, rules, shown["conditions"])
        shown["missing"] = found
        if others:
            shown["alternatives"] = others
        shown["summary"] = explaining.outcome(
            self.program,
            stored,
            source=source,
            rules=rules,
            outcomes=self.outcomes,
            lacking=found,
        )
        given = explaining.given_by(self.outcomes, stored["rule"])
        shown["points"] = [{"points_key": key, "points": points} for key, points in given]
        return shown

    def _detail(self, reason: Reason) -> str:
        """What a reason means, and of a missed day what stood against it."""
        if self.missed is not None and self.missed.reason == reason:
            return missed_days.cause(self.program, self.missed)["en"]
        return REASONS[reason]

    def _missing(
        self,
        stored: dict[str, Any],
        rule: Rule,
        rules: dict[str, Rule],
        explanation: Explanation,
    ) -> tuple[list[missing.Missing], list[list[missing.Missing]]]:
        reason = stored.get("reason")
        if self.missed is not None and self.missed.reason == reason:
            again_at = missed_days.again(self.program, self.missed)
            return [] if again_at is None else [missing.from_instant(self.program, again_at)], []
        if reason == "condition_not_met" and not explanation["is_met"]:
            return missing.of_condition(self.program, explanation, catalogue=self._catalogue())
        if reason == "condition_not_met":
            return missing.of_lines(self.program, self.shown_trigger, rule), []
        if reason == "excluded":
            winner = explaining.winner_of(rule, self.outcomes, rules)
            return missing.of_excluded(winner, rules), []
        return missing.of_reason(self.program, reason, rule, stored, self.facts.get("status")), []


def more_minor(
    program: Compiled, outcomes: Iterable[Outcome], *, facts: Facts
) -> list[missing.Missing]:
    """How much more an order would need for rules that fail by its amount alone."""
    unmet = {one.rule for one in outcomes if one.reason == "condition_not_met"}
    found = []
    for rule in program.rules_of("order"):
        if rule.key not in unmet or missing.AMOUNT not in rule.when.facts:
            continue
        explanation = rule.when.explain(facts)
        if not explanation["is_met"]:
            catalogue = triggers.find_facts("order", program.activities)
            one = missing.more_minor(program, explanation, rule=rule, catalogue=catalogue)
            found += [] if one is None else [one]
    return sorted(found, key=lambda one: (one["minor"], one["rule"]))


def told_of(connection: sa.Connection, program_id: bytes, row: Any) -> Told:
    """A row of decisions in words."""
    facts, outcomes = jsontext.parse(row.facts), jsontext.parse(row.outcomes)
    program = versions.get_compiled(connection, program_id, row.version, row.switches)
    return Told(
        bytes(row.id),
        program,
        row.source_type,
        row.source_ref,
        facts.get("trigger", row.source_type),
        facts,
        outcomes,
        missed_days.find(connection, program, row, outcomes),
        tuple(surprised.drawn(connection, row)),
    )


def show(connection: sa.Connection, program_id: bytes, decision_ref: str) -> dict[str, Any]:
    """A decision; 404 when the program has none with this id."""
    decision_id = ids.read_id("dec", decision_ref)
    row = None if decision_id is None else _find(connection, program_id, decision_id)
    if row is None:
        raise not_found("decision")
    return _shown(connection, row, told_of(connection, program_id, row))


def is_known(connection: sa.Connection, program_id: bytes, decision_ref: str) -> bool:
    """Whether the program has a decision with this id."""
    decision_id = ids.read_id("dec", decision_ref)
    return decision_id is not None and _find(connection, program_id, decision_id) is not None


def _find(connection: sa.Connection, program_id: bytes, decision_id: bytes) -> Any:
    return connection.execute(
        sa.select(DECISIONS).where(
            DECISIONS.c.program_id == program_id, DECISIONS.c.id == decision_id
        )
    ).first()


def _shown(connection: sa.Connection, row: Any, told: Told) -> dict[str, Any]:
    member_ref = _signed_up(connection, row.program_id, row.source_type, row.member_id)
    return {
        "id": ids.show_id("dec", bytes(row.id)),
        "source": {"type": row.source_type, "ref": member_ref or row.source_ref},
        "summary": told.summary,
        "member_id": ids.show_id("mem", bytes(row.member_id)) if row.member_id else None,
        "version": row.version,
        "trigger": told.shown_trigger,
        "facts": told.seen,
        "lines": _lines(told.facts),
        "tier": told.tier(),
        "outcomes": told.explained(),
        "surprises": told.surprised(),
        "arithmetic": told.arithmetic(),
        "stamps": told.outcomes.get("stamps") or {},
        "grants": told.outcomes.get("grants") or {},
        "payables": told.outcomes.get("payables") or {},
        "qualifying_points": told.outcomes["qualifying_points"],
        "effective_at": clock.format_instant(row.effective_at),
        "recorded_at": clock.format_instant(row.recorded_at),
    }


def _signed_up(
    connection: sa.Connection, program_id: bytes, source_type: str, member_id: bytes | None
) -> str | None:
    """The storefront's reference of whose signup it was, as far as there still is one."""
    if source_type != "signup" or member_id is None:
        return None
    row = members.get_row(connection, program_id, bytes(member_id))
    return None if row["erased_at"] is not None else str(row["member_ref"])


def _lines(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"line_ref": ref, "quantity": quantity, "net_minor": net, "earning_minor": earning}
        for ref, quantity, net, earning in facts.get("lines", ())
    ]


def show_entry(connection: sa.Connection, program_id: bytes, entry_ref: str) -> dict[str, Any]:
    """An entry with its decision and the lots it touched; 404 when there is none with this id."""
    entry_id = ids.read_id("ent", entry_ref)
    row = reading.find_entry(connection, program_id, entry_id) if entry_id else None
    if row is None:
        raise not_found("entry")
    member_ref = _signed_up(connection, program_id, row["source_type"], row["member_id"])
    live, _ = versions.get_live(connection, program_id)
    decided = _find(connection, program_id, row["decision_id"]) if row["decision_id"] else None
    told = None if decided is None else told_of(connection, program_id, decided)
    pinned = None if told is None else told.program
    named = redeemed.names(connection, program_id, live.currency, [row])
    shown = showing.show_entry(row, live, member_ref=member_ref, pinned=pinned, named=named)
    shown["decision"] = None if told is None else _shown(connection, decided, told)
    shown["adjustment"] = None
    if row["source_type"] == "adjustment":
        found = records.reasons(connection, program_id, [row])
        shown["adjustment"] = found.get(row["source_ref"])
    shown["lots"] = _touched(connection, program_id, row)
    return shown


def _touched(connection: sa.Connection, program_id: bytes, row: Any) -> list[dict[str, Any]]:
    """Every lot that an entry changed, with what it changed of each."""
    if row["is_split"]:
        changes = reading.read_allocations(connection, program_id, bytes(row["id"]))
    else:
        move = (row["from_bucket"], row["to_bucket"])
        changes = [(bytes(row["lot_id"]), *default_change(move, row["points"]), None, None)]
    lots = {
        lot.id: lot
        for lot in reading.Stored(connection, program_id).lots_by_id([one[0] for one in changes])
    }
    return [
        showing.show_lot(lots[lot_id])
        | {
            "change": remaining,
            "held_change": held,
            "for_lot_id": None if for_lot_id is None else ids.show_id("lot", for_lot_id),
        }
        for lot_id, remaining, held, for_lot_id, _ in changes
    ]


def pinned_before(connection: sa.Connection, program_id: bytes, stored: StoredOrder) -> Pinned:
    """What a stored decision pinned."""
    assert stored.version is not None and stored.switches is not None
    assert stored.facts is not None
    facts = jsontext.parse(stored.facts)
    program = versions.get_compiled(connection, program_id, stored.version, stored.switches)
    return Pinned.of_facts(program, facts)


def find_pinned(
    connection: sa.Connection, program_id: bytes, decision_id: bytes
) -> tuple[Compiled, dict[str, Any]]:
    """The program and the member's facts that a decision pinned."""
    row = connection.execute(
        sa.select(DECISIONS.c.version, DECISIONS.c.switches, DECISIONS.c.facts).where(
            DECISIONS.c.program_id == program_id, DECISIONS.c.id == decision_id
        )
    ).one()
    program = versions.get_compiled(connection, program_id, row.version, row.switches)
    return program, jsontext.parse(row.facts)["member"]
