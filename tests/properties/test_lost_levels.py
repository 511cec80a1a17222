"""Ladders that change at random: no level is paid for twice, under whichever name."""

import random  # noqa: TID251 - told by a seed

import pytest

from tests.scenarios.tier_shop import GOLD, SILVER, TIERS, Make, clean, open_shop
from tests.world import BASE_RULE

GOLDEN = GOLD | {"key": "golden"}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_becomes_of_the_ladder_each_level_pays_once(make_world: Make, seed: int) -> None:
    chance, shop = random.Random(seed), open_shop(make_world)
    argent = SILVER | {"key": "argent"}
    ladders = [(SILVER, GOLD), (SILVER,), (GOLD,), (argent, GOLDEN), (SILVER, GOLDEN)]
    told: dict[str, int] = dict.fromkeys("ABC", 0)
    for day in range(2, 14):
        if chance.random() < 0.4:
            levels = list(chance.choice(ladders))
            shop.publish(tiers=TIERS | {"levels": levels}, earning={"rules": [BASE_RULE]})
        if chance.random() < 0.3:
            shop.post("/test-clock", {"now": f"2026-03-{day:02}T10:00:00Z"})
        ref, euros = chance.choice("ABC"), chance.choice([0, 300, 600, 1200])
        told[ref] = euros
        shop.order(ref, (euros or 1) * 100, status="paid" if euros else "cancelled")
        # All within one term: never more than what both levels pay, under whichever name.
        assert 0 <= shop.balance() - sum(told.values()) <= 100 + 500
        clean(shop)
