"""What redemptions are called in sentences: the reward's own name as it was promised, else what it
gives, in English and Korean.

Reads the redemptions of a page of entries at once, and nothing where no entry is of one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, language
from core.language import LANGUAGES, Text
from loyalty.ledger.rows import HOLD_PREFIX
from rewards import terms
from rewards.carried import REDEMPTIONS
from rewards.terms import PAY_WITH_POINTS, Terms
from storefront.explanations import referred, surprised

#: What a kind of reward without a name is called; `{money}` is its value, `{percent}` its share.
KINDS: dict[str, Text] = {
    "discount_amount": {"en": "{money} off", "ko": "{money} 할인"},
    "discount_percent": {"en": "{percent} % off", "ko": "{percent}% 할인"},
    "free_shipping": {"en": "free shipping", "ko": "무료 배송"},
    "free_product": {"en": "a free product", "ko": "무료 상품"},
    "gift_card": {"en": "a gift card of {money}", "ko": "{money} 기프트카드"},
    "store_credit": {"en": "{money} of store credit", "ko": "{money} 적립금"},
    "access": {"en": "access", "ko": "이용권"},
    "custom": {"en": "a reward", "ko": "리워드"},
    PAY_WITH_POINTS: {"en": "paying {money}", "ko": "{money} 결제"},
}


def names(
    connection: sa.Connection, program_id: bytes, currency: str, rows: Iterable[Mapping[str, Any]]
) -> dict[str, Text]:
    """By reference, what the redemptions are called that these entries are of, in Korean by what
    was done, since points are exchanged for a reward; and the referrals and surprises."""
    rows = list(rows)
    others = referred.names(connection, program_id, rows)
    others |= surprised.names(connection, program_id, rows)
    refs = {row["source_ref"] for row in rows if row["source_type"] == "redemption"}
    wanted = [one for one in (ids.read_id(HOLD_PREFIX, ref) for ref in refs) if one is not None]
    if not wanted:
        return others
    found = connection.execute(
        sa.select(REDEMPTIONS.c.id, REDEMPTIONS.c.terms).where(
            REDEMPTIONS.c.program_id == program_id, REDEMPTIONS.c.id.in_(wanted)
        )
    )
    return others | {
        ids.show_id(HOLD_PREFIX, bytes(row.id)): _deed(terms.parse(row.terms), currency)
        for row in found
    }


def _deed(promised: Terms, currency: str) -> Text:
    name = name_of(promised, currency)
    return name if promised.kind == PAY_WITH_POINTS else name | {"ko": f"{name['ko']} 교환"}


def name_of(promised: Terms, currency: str) -> Text:
    """What was promised, in both languages."""
    if promised.name:
        return language.name_of(promised.name, promised.reward_key or promised.kind)
    return {
        one: KINDS[promised.kind][one].format(
            money=language.money(promised.minor, currency, language=one),
            percent=_percent(promised.percent_bp),
        )
        for one in LANGUAGES
    }


def _percent(basis_points: int) -> str:
    """10, 12.5, 0.25."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".")
