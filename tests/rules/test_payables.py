"""The effect payable: what it comes to, and what a document may say of it."""

from typing import Any

import pytest

from core.errors import Problem
from programs import versions
from rules.effects import Payable
from storefront import facts
from tests.world import document, rule

RULE = "/earning/rules/0"


@pytest.mark.parametrize(
    ("effect", "left", "whole", "is_prorated", "owed"),
    [
        # 2.5 % of 199.99 are 4.99975.
        (Payable(percent_bp=250), 19_999, 19_999, False, 499),
        (Payable(percent_bp=10_000), 7, 19_999, True, 7),
        (Payable(percent_bp=250), 39, 100, False, 0),
        (Payable(minor=1000), 1, 3, False, 1000),
        # A third of 10.00.
        (Payable(minor=1000), 1, 3, True, 333),
        (Payable(minor=1000), 0, 0, True, 1000),
    ],
)
def test_cash_is_rounded_down_once(
    effect: Payable, left: int, whole: int, is_prorated: bool, owed: int
) -> None:
    assert effect.owed(left, whole, is_prorated=is_prorated) == owed


@pytest.mark.parametrize(
    ("effect", "more", "pointer"),
    [
        ({}, {}, f"{RULE}/effect"),
        ({"minor": 1, "percent_bp": 1}, {}, f"{RULE}/effect"),
        ({"minor": 0}, {}, f"{RULE}/effect/minor"),
        ({"percent_bp": 10_001}, {}, f"{RULE}/effect/percent_bp"),
        ({"percent_bp": 1}, {"trigger": "signup"}, f"{RULE}/effect/percent_bp"),
        ({"minor": 1, "points_key": "points"}, {}, f"{RULE}/effect/points_key"),
        (
            {"minor": 1},
            {"stacking": {"mode": "exclusive", "group": "g"}},
            f"{RULE}/stacking/mode",
        ),
        ({"minor": 1}, {"limits": [{"points": 5}]}, f"{RULE}/limits/0/points"),
    ],
)
def test_what_a_document_may_not_say(
    effect: dict[str, Any], more: dict[str, Any], pointer: str
) -> None:
    facts.install()
    told = document(earning={"rules": [rule("cash", {"do": "payable"} | effect) | more]})
    with pytest.raises(Problem) as refused:
        versions.validate(told)
    assert [one.pointer for one in refused.value.errors] == [pointer]
