"""Money: whole minor units of an ISO 4217 currency, and exact sharing of a whole amount.

There are no floats here: an amount is an integer of the currency's minor unit (won have none).
"""

from collections.abc import Sequence

import iso4217

#: No single amount may pass this (minor units): products of it stay within 64 bits.
AMOUNT_MAX = 10**12


def is_currency(code: str) -> bool:
    """Whether ISO 4217 lists this three-letter code."""
    return code.isupper() and code in iso4217.Currency.__members__


def exponent(code: str) -> int:
    """Decimal places of the currency's minor unit by ISO 4217: 2 for USD, 0 for KRW, 3 for BHD."""
    return iso4217.Currency[code].exponent or 0


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Share a whole `total` over `weights` in whole units by largest remainder, ties by order.

    Parts add up to the total; with no weight at all everything falls on the first.
    """
    weight = sum(weights)
    if not weights or not total:
        return [0] * len(weights)
    if weight == 0:
        return [total] + [0] * (len(weights) - 1)
    parts = [total * share // weight for share in weights]
    left = total - sum(parts)
    if left:
        by_remainder = sorted(
            range(len(weights)), key=lambda i: (-(total * weights[i] % weight), i)
        )
        for index in by_remainder[:left]:
            parts[index] += 1
    return parts


def part(amount: int, share: int, whole: int) -> int:
    """`amount × share / whole` in whole units, halves up: all of it when share is the whole."""
    return (2 * amount * share + whole) // (2 * whole) if whole else 0
