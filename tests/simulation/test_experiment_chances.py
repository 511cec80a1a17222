"""A thousand experiments in which nothing happens, and hundreds in which something does.

Members are put into their arms by the holdout itself and told about by sums, as the report has
them; what they buy is drawn from a seed. EXPERIMENT_SEED draws other ones.
"""

import math
import os
import random
from statistics import NormalDist
from typing import Any

from analytics.experiments.comparison import Arm, compare
from analytics.experiments.means import Sums
from rewards.surprises import holdout

SEED = int(os.environ.get("EXPERIMENT_SEED", "1"))
HOLDOUT_BP = 2_000
METRICS = ("repeat_rate", "orders_by_member", "net_by_member")


def _play(chance: random.Random, name: str, *, members: int, base: float, lift: float) -> Any:
    """One experiment. Whoever comes back buys once or more, for 10.00 to some 200.00 each."""
    values: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for number in range(members):
        is_held = holdout.is_held(name, f"m_{number}", HOLDOUT_BP)
        orders = net = 0
        if chance.random() < (base if is_held else base + lift):
            orders = 1
            while chance.random() < 0.3:
                orders += 1
            net = sum(10_00 + int(chance.expovariate(1 / 30_00)) for _ in range(orders))
        values[is_held].append((orders, net))
    return compare(_arm(values[False]), _arm(values[True]), holdout_bp=HOLDOUT_BP, detect_bp=300)


def _arm(values: list[tuple[int, int]]) -> Arm:
    def sums(numbers: list[int]) -> Sums:
        squares = sum(one**2 for one in numbers)
        return Sums(
            len(numbers), sum(numbers), float(squares), float(sum(one**3 for one in numbers))
        )

    orders, net = [one[0] for one in values], [one[1] for one in values]
    return Arm(sum(1 for one in orders if one), sums(orders), sums(net))


def test_where_nothing_happens_one_in_twenty_seems_to() -> None:
    chance, seeming, withheld = random.Random(SEED), dict.fromkeys(METRICS, 0), 0
    for number in range(1_000):
        told = _play(chance, f"nothing:{SEED}:{number}", members=1_000, base=0.3, lift=0.0)
        if told["withheld"] is not None:
            withheld += 1
            continue
        for metric in METRICS:
            seeming[metric] += told[metric]["verdict"] != "unclear"
    # The sample-ratio check lies once in a thousand.
    assert withheld <= 5
    assert {metric: abs(count - 50) <= 15 for metric, count in seeming.items()} == dict.fromkeys(
        METRICS, True
    ), seeming


def test_a_lift_of_three_points_is_found_as_often_as_theory_says() -> None:
    chance, found, wrong, missed = random.Random(SEED), 0, 0, 0
    base, lift, members, runs = 0.09, 0.03, 4_000, 400
    for number in range(runs):
        told = _play(chance, f"lift:{SEED}:{number}", members=members, base=base, lift=lift)
        rate = told["repeat_rate"]
        found += rate["verdict"] == "higher"
        wrong += rate["verdict"] == "lower"
        missed += not rate["low_bp"] <= 300 <= rate["high_bp"]
    power = _power(base + lift, base, treated=members * 4 // 5, held=members // 5)
    assert 0.65 < power < 0.75
    # Three standard errors of a share of so many runs.
    assert abs(found / runs - power) < 3 * math.sqrt(power * (1 - power) / runs), (found, power)
    # The intervals hold the truth in 95 of 100.
    assert wrong == 0 and missed / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def _power(treated_share: float, held_share: float, *, treated: int, held: int) -> float:
    """How often the difference of two shares, as normal as they come, lies above what Wilson's
    intervals of both put together reach."""

    def bound(share: float, count: int, sign: int) -> float:
        z = 1.959964
        root = z * math.sqrt(share * (1 - share) / count + (z / count / 2) ** 2)
        return (share + z * z / count / 2 + sign * root) / (1 + z * z / count)

    low, high = bound(treated_share, treated, -1), bound(held_share, held, 1)
    reach = math.sqrt((treated_share - low) ** 2 + (high - held_share) ** 2)
    spread = treated_share * (1 - treated_share) / treated + held_share * (1 - held_share) / held
    return 1 - NormalDist(treated_share - held_share, math.sqrt(spread)).cdf(reach)
