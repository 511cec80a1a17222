"""What is deserved, by the terms it comes under: rules may override those of their points.

Pure. A multiplier and the tier's factor have no terms of their own: their part comes under the
terms of what they multiply when that is one, otherwise under those of the kind of points.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from loyalty.exact import Earned, Share
from programs.compiled import Compiled
from programs.rules import Rule
from programs.terms import NO_TERMS, Terms
from rules.effects import GIVEN, MultiplyPoints


@dataclass(frozen=True, slots=True)
class Deserved:
    """Points of one kind under the same terms, and where they come from."""

    points_key: str
    terms: Terms
    points: int
    breakdown: tuple[Share, ...]
    by_line: tuple[tuple[str, int], ...]


def by_terms(program: Compiled, rules: Iterable[Rule], earned: Iterable[Earned]) -> list[Deserved]:
    """What a decision by these rules earns, split by terms; the parts add up to the whole."""
    overriding = {
        rule.key: rule.terms
        for rule in rules
        if not isinstance(rule.effect, MultiplyPoints | GIVEN)
    }
    found: list[Deserved] = []
    for one in earned:
        found += _split(program, one, overriding)
    return found


def _split(program: Compiled, one: Earned, overriding: dict[str, Terms]) -> list[Deserved]:
    kind = program.kind(one.points_key)
    default = NO_TERMS if kind is None else kind.terms
    adding = {overriding[share.rule] for share in one.breakdown if share.rule in overriding}
    if len(adding) == 1:
        default = next(iter(adding))
    groups: dict[Terms, list[Share]] = {}
    for share in one.breakdown:
        groups.setdefault(overriding.get(share.rule, default), []).append(share)
    totals = {terms: sum(share.points for share in shares) for terms, shares in groups.items()}
    if len(groups) <= 1 or min(totals.values()) < 0:
        return [Deserved(one.points_key, default, one.points, one.breakdown, one.by_line)]
    return [
        Deserved(one.points_key, terms, totals[terms], tuple(shares), ())
        for terms, shares in groups.items()
        if totals[terms]
    ]
