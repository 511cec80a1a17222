"""Availability: whether a member can have a reward now, and every reason why not.

Pure. Owns the codes of the contract, what is missing, and how both are told. Refuses to take
anything: whoever redeems claims what is scarce, and may still find it gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core import clock, language
from core.language import Text
from loyalty import sentences
from orders import figures
from orders.figures import LineFigures, OrderFigures
from programs.compiled import Compiled
from programs.rewards import OF_ORDERS, Reward
from rules.facts import Facts
from rules.limits import Room
from rules.schedules import Schedule

Code = Literal[
    "paused",
    "not_started",
    "ended",
    "tier_required",
    "condition_not_met",
    "limit_reached",
    "out_of_stock",
    "negative_balance",
    "insufficient_points",
]


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that is to be known of a member, an instant and a cart, to judge any reward.

    `stock` is what there is and what is taken, of rewards that have a row; `grants` how many a
    member can use by redeeming, `coded` of which they have a code that can be used;
    `empty_pools` are the pools of codes with none left, or that do not exist.
    """

    program: Compiled
    at: int
    level_key: str | None
    facts: Facts
    available: Mapping[str, int]
    stock: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    grants: Mapping[str, int] = field(default_factory=dict)
    coded: frozenset[str] = frozenset()
    empty_pools: frozenset[str] = frozenset()
    order: OrderFigures | None = None
    #: Whether the cart holds anything that is ever discounted.
    has_goods: bool = field(init=False)

    def __post_init__(self) -> None:
        """Look at the cart once, for every reward."""
        has_goods = self.order is not None and any(
            not line.is_gift_card for line in self.order.lines if _stands(line)
        )
        object.__setattr__(self, "has_goods", has_goods)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a member cannot have a reward, and what is missing where it can be counted; `again_at`
    is from when on this one is none any more."""

    code: Code
    text: Text
    missing_points: int | None = None
    missing_minor: int | None = None
    again_at: int | None = None

    @property
    def detail(self) -> str:
        """The sentence in English, as problems say it."""
        return self.text["en"]


_PAUSED = Reason(
    "paused", {"en": "It is paused at the moment.", "ko": "지금은 일시 중지된 리워드입니다."}
)
_ONLY_GRANTED = Reason(
    "condition_not_met",
    {
        "en": "It cannot be bought with points, only be given.",
        "ko": "포인트로 교환할 수 없고 지급받을 수만 있습니다.",
    },
)
_HAS_CODE = Reason(
    "condition_not_met",
    {
        "en": "The member has it already: its code uses it.",
        "ko": "이미 지급받은 리워드입니다. 코드로 사용할 수 있습니다.",
    },
)
_NOT_ENROLLED = Reason(
    "condition_not_met",
    {
        "en": "It is for members who take part in the program.",
        "ko": "프로그램에 참여하는 회원만 받을 수 있습니다.",
    },
)
#: What a condition takes is told by who knows the words of its facts.
CONDITION = Reason(
    "condition_not_met", {"en": "Its conditions are not met.", "ko": "조건이 충족되지 않았습니다."}
)
_NO_LINE = Reason(
    "condition_not_met",
    {
        "en": "Nothing in the cart is what it applies to.",
        "ko": "장바구니에 적용할 수 있는 상품이 없습니다.",
    },
)
_LIMIT = Reason(
    "limit_reached",
    {
        "en": "It was redeemed as often as it can be.",
        "ko": "받을 수 있는 횟수를 모두 사용했습니다.",
    },
)
_NONE_LEFT = Reason("out_of_stock", {"en": "None is left.", "ko": "재고가 없습니다."})
_ENDED = Reason("ended", {"en": "It is over.", "ko": "종료된 리워드입니다."})


def reasons(reward: Reward, asked: Asked, *, cost: int | None) -> list[Reason]:
    """Every reason why a reward that costs a member so much cannot be had, in the order of the
    contract; none when it can. What was granted already is judged no more. Without a cart, what
    only a cart could meet is left unjudged (`Reward.needs_cart`)."""
    if asked.grants and asked.grants.get(reward.key):
        return []
    found = []
    rule = reward.rule
    if not rule.is_live:
        found.append(_PAUSED)
    if rule.schedule is not None and not rule.schedule.is_in_force(asked.at, asked.program.zone):
        found.append(_outside(rule.schedule, asked))
    if reward.tiers is not None and asked.level_key not in reward.tiers:
        found.append(_tier_required(reward))
    _conditions(found, reward, asked, cost)
    room = asked.rooms.get(rule.key) if asked.rooms else None
    if room is not None and room.left == 0:
        found.append(_limit_reached(room, asked))
    if (reward.stock is not None or reward.voucher is not None) and _is_gone(reward, asked):
        found.append(_NONE_LEFT)
    if cost is not None:
        available = asked.available.get(reward.points_key, 0)
        if available < 0:
            # Nothing is redeemed below zero, what costs nothing neither (SEMANTICS B11).
            found.append(_negative(available, reward, asked))
        if cost and available < cost:
            found.append(_insufficient(cost - available, reward, asked))
    return found


def left(reward: Reward, asked: Asked) -> int | None:
    """How many of a reward are left; None where it has no stock."""
    if reward.stock is None:
        return None
    total, used = asked.stock.get(reward.key, (reward.stock, 0))
    return max(0, total - used)


def _is_gone(reward: Reward, asked: Asked) -> bool:
    if left(reward, asked) == 0:
        return True
    voucher = reward.voucher
    return voucher is not None and voucher.pool is not None and voucher.pool in asked.empty_pools


def _conditions(found: list[Reason], reward: Reward, asked: Asked, cost: int | None) -> None:
    if cost is None:
        found.append(_HAS_CODE if reward.key in asked.coded else _ONLY_GRANTED)
    if not asked.facts.get("member.is_enrolled", True):
        found.append(_NOT_ENROLLED)
    when = reward.of_member if asked.order is None else reward.rule.when
    if not when.matches(asked.facts):
        found.append(CONDITION)
    order = asked.order
    if order is None:
        return
    if order.net_minor < reward.min_order_minor:
        found.append(_below(reward.min_order_minor - order.net_minor, asked))
    if reward.kind in OF_ORDERS and not _is_applied(reward, asked, order):
        found.append(_NO_LINE)


def _is_applied(reward: Reward, asked: Asked, order: OrderFigures) -> bool:
    if reward.lines is None:
        return asked.has_goods or reward.kind == "free_product"
    return applies(reward, order)


def applies(reward: Reward, order: OrderFigures) -> bool:
    """Whether there is a line in an order that a reward of an order's kind applies to; lines that
    sell gift cards are never discounted."""
    lines = reward.lines
    if reward.kind == "free_product" and lines is None:
        return True
    return any(
        not line.is_gift_card and (lines is None or lines.matches(figures.line_facts(line)))
        for line in order.lines
        if _stands(line)
    )


def _stands(line: LineFigures) -> bool:
    return line.left_minor > 0 or line.left_quantity > 0


def _outside(schedule: Schedule, asked: Asked) -> Reason:
    zone = asked.program.zone
    starts_at = schedule.next_start(asked.at, zone)
    if starts_at is None:
        return _ENDED
    told = language.moment(starts_at, zone)
    text = {
        "en": f"It can be had from {told['en']} on.",
        "ko": f"{told['ko']}부터 받을 수 있습니다.",
    }
    return Reason("not_started", text, again_at=starts_at)


def _tier_required(reward: Reward) -> Reason:
    levels = reward.levels or {"en": "none", "ko": "-"}
    return Reason(
        "tier_required",
        {
            "en": f"It is for members at the level {levels['en']}.",
            "ko": f"{levels['ko']} 등급 회원만 받을 수 있습니다.",
        },
    )


def _below(missing_minor: int, asked: Asked) -> Reason:
    currency = asked.program.currency
    english = language.money(missing_minor, currency)
    korean = language.money(missing_minor, currency, language="ko")
    return Reason(
        "condition_not_met",
        {
            "en": f"The order needs {english} more.",
            "ko": f"주문 금액이 {korean} 더 필요합니다.",
        },
        missing_minor=missing_minor,
    )


def _limit_reached(room: Room, asked: Asked) -> Reason:
    if room.again_at is None:
        return _LIMIT
    told = language.moment(room.again_at, asked.program.zone)
    text = {
        "en": f"It was redeemed as often as it can be for now; again from {told['en']} on.",
        "ko": f"받을 수 있는 횟수를 모두 사용했습니다. {told['ko']}부터 다시 받을 수 있습니다.",
    }
    return Reason("limit_reached", text, again_at=room.again_at)


def _named(reward: Reward, asked: Asked) -> Text:
    kind = asked.program.kind(reward.points_key)
    return language.name_of(None if kind is None else kind.name, reward.points_key)


def _negative(available: int, reward: Reward, asked: Asked) -> Reason:
    name = _named(reward, asked)
    return Reason(
        "negative_balance",
        {
            "en": f"The balance of {name['en']} is below zero: {available:,}.",
            "ko": f"{name['ko']} 잔액이 0보다 적습니다: {available:,}.",
        },
    )


def _insufficient(missing: int, reward: Reward, asked: Asked) -> Reason:
    name = _named(reward, asked)
    korean = sentences.points(missing, reward.points_key, asked.program)["ko"]
    return Reason(
        "insufficient_points",
        {
            "en": f"{missing:,} more {name['en']} needed.",
            "ko": f"{language.with_particle(korean, '이')} 더 필요합니다.",
        },
        missing_points=missing,
    )


def show(reason: Reason) -> dict[str, object]:
    """A reason as the contract shows it."""
    shown: dict[str, object] = {"code": reason.code, "detail": reason.text}
    if reason.missing_points is not None:
        shown["missing_points"] = reason.missing_points
    if reason.missing_minor is not None:
        shown["missing_minor"] = reason.missing_minor
    if reason.again_at is not None:
        shown["from"] = clock.format_instant(reason.again_at)
    return shown
