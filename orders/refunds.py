"""What of an order its refund resources leave.

Pure. Folds the refunds that stand into the snapshot: the result reads like a snapshot that tells
them itself, so figures know one path. Refunds are taken in the order of `refunded_at` and then of
their reference, whenever they arrived. Of a line stands the greater of what the snapshot and what
the refunds say, never their sum (SEMANTICS B13). Refuses to know points.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core import jsontext
from core.money import part, spread
from orders import figures


@dataclass(slots=True)
class Refund:
    """A refund as last told; `body` is what was told, apart from references.

    `points_returned` and `suggested_deduction_minor` are what stands for it: points that the order
    was paid with, and what points that could not be taken back are worth.
    """

    order_ref: str
    refund_ref: str
    status: str
    refunded_at: int
    body: Mapping[str, Any]
    is_applied: bool
    created_at: int
    updated_at: int
    points_returned: int = 0
    suggested_deduction_minor: int = 0
    #: Made when it was first told; refunds told long ago have none.
    told_id: bytes | None = None
    is_new: bool = False
    is_changed: bool = False

    @property
    def stands(self) -> bool:
        """Whether it was paid and not withdrawn."""
        return self.status == "succeeded"

    def row(self, program_id: bytes) -> dict[str, Any]:
        """The refund's row."""
        return {
            "program_id": program_id,
            "order_ref": self.order_ref,
            "refund_ref": self.refund_ref,
            "status": self.status,
            "refunded_at": self.refunded_at,
            "body": jsontext.sorted_text(self.body),
            "is_applied": self.is_applied,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "points_returned": self.points_returned,
            "suggested_deduction_minor": self.suggested_deduction_minor,
            "told_id": self.told_id,
        }


@dataclass(slots=True)
class Applied:
    """What a refund took of the order: money of its goods and shipping, and what it found no
    more of: money, or pieces where it told no money."""

    goods_minor: int = 0
    shipping_minor: int = 0
    missing: int = 0
    unknown_lines: list[str] = field(default_factory=list)

    @property
    def total_minor(self) -> int:
        """Money of goods and shipping together."""
        return self.goods_minor + self.shipping_minor


@dataclass(slots=True)
class Folded:
    """A snapshot with the refunds that stand told in it, and what each of them took."""

    body: Mapping[str, Any]
    applied: dict[str, Applied] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """What the refunds together found no more of."""
        return sum(one.missing for one in self.applied.values())


@dataclass(slots=True)
class _Lines:
    """The lines of an order while refunds are taken of them one after the other."""

    nets: list[int]
    quantities: list[int]
    places: dict[str, int]
    #: Money told by line, money spread over lines, and pieces.
    told: list[int]
    shared: list[int]
    pieces: list[int]

    @property
    def left(self) -> list[int]:
        """What is left of each line."""
        return [
            net - told - shared
            for net, told, shared in zip(self.nets, self.told, self.shared, strict=True)
        ]

    def share(self, amount: int) -> int:
        """Spread money over what is left of the lines by value; returns what found a place."""
        left = self.left
        placed = min(amount, sum(left))
        for index, minor in enumerate(spread(placed, left)):
            self.shared[index] += minor
        return placed

    def take(self, told: Mapping[str, Any], applied: Applied) -> None:
        """Take what a refund tells of one line."""
        index, amount = self.places.get(told["line_ref"]), told.get("amount_minor")
        if index is None:
            applied.unknown_lines.append(told["line_ref"])
            applied.missing += amount if amount is not None else told.get("quantity", 0)
            return
        net, quantity, before = self.nets[index], self.quantities[index], self.pieces[index]
        pieces = min(told.get("quantity", 0), quantity - before)
        applied.missing += told.get("quantity", 0) - pieces
        self.pieces[index] += pieces
        room = net - self.told[index]
        if amount is None:
            # Shares of the pieces so far, so that pieces one by one come to the whole line.
            share = part(net, before + pieces, quantity) - part(net, before, quantity)
            amount = min(share, room)
        taken = min(amount, room)
        applied.missing += amount - taken
        applied.goods_minor += taken
        self.told[index] += taken
        self._make_way(index, applied)

    def _make_way(self, index: int, applied: Applied) -> None:
        """Money that was only spread over a line gives way to what is told of the line."""
        over = self.told[index] + self.shared[index] - self.nets[index]
        if over > 0:
            self.shared[index] -= over
            lost = over - self.share(over)
            applied.goods_minor -= lost
            applied.missing += lost


def fold(body: Mapping[str, Any], refunds: Iterable[Refund]) -> Folded:
    """A checked snapshot with its refunds told in it."""
    standing = sorted(
        (refund for refund in refunds if refund.stands),
        key=lambda refund: (refund.refunded_at, refund.refund_ref),
    )
    if not standing:
        return Folded(body)
    lines = body["lines"]
    nets = figures.nets(body)
    taking = _Lines(
        nets=nets,
        quantities=[line["quantity"] for line in lines],
        places={line["line_ref"]: index for index, line in enumerate(lines)},
        told=[0] * len(lines),
        shared=[0] * len(lines),
        pieces=[0] * len(lines),
    )
    folded, shipping = Folded(body), 0
    for refund in standing:
        applied = folded.applied[refund.refund_ref] = Applied()
        for told in refund.body.get("lines") or ():
            taking.take(told, applied)
        amount = refund.body.get("amount_minor", 0)
        applied.goods_minor += taking.share(amount)
        applied.missing += amount - applied.goods_minor if amount else 0
        wanted = refund.body.get("shipping_minor", 0)
        applied.shipping_minor = min(wanted, body["shipping_minor"] - shipping)
        applied.missing += wanted - applied.shipping_minor
        shipping += applied.shipping_minor
    back = _combined(body, taking)
    folded.body = {
        **body,
        "lines": [
            {
                **line,
                "refunded_minor": back[index],
                "refunded_quantity": max(line["refunded_quantity"], taking.pieces[index]),
            }
            for index, line in enumerate(lines)
        ],
        "refunded_minor": sum(back),
        "shipping_refunded_minor": max(body.get("shipping_refunded_minor", 0), shipping),
    }
    return folded


def _combined(body: Mapping[str, Any], taking: _Lines) -> list[int]:
    """What is refunded of each line by snapshot and refunds together.

    The greater of both by line, and the greater of both in total. What the total has more than
    the lines lies where the refunds spread it, and then on what is left of the lines by value.
    """
    nets = taking.nets
    back = [
        max(figures.told_back(line, net), told)
        for line, net, told in zip(body["lines"], nets, taking.told, strict=True)
    ]
    total = max(body.get("refunded_minor", 0), sum(taking.told) + sum(taking.shared))
    unplaced = min(total, sum(nets)) - sum(back)
    if unplaced <= 0:
        return back
    wanted = [
        max(0, told + shared - here)
        for told, shared, here in zip(taking.told, taking.shared, back, strict=True)
    ]
    back = _add(back, spread(min(unplaced, sum(wanted)), wanted))
    unplaced -= min(unplaced, sum(wanted))
    left = [net - here for net, here in zip(nets, back, strict=True)]
    return _add(back, spread(min(unplaced, sum(left)), left))


def _add(amounts: Sequence[int], more: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(amounts, more, strict=True)]
