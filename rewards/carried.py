"""What a unit of work carries of rewards from one step to the next, and writes at its end.

Redemptions, vouchers and grants are read once and changed in memory; what is taken of stock is
counted here and claimed last of all, by `rewards.stock`.
"""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core.writing import Writes
from rewards.models import Fulfilment, Grant, Redemption, Voucher, VoucherUse
from rewards.terms import Terms, parse

REDEMPTIONS: sa.Table = Redemption.__table__  # type: ignore[assignment]
VOUCHERS: sa.Table = Voucher.__table__  # type: ignore[assignment]
USES: sa.Table = VoucherUse.__table__  # type: ignore[assignment]
GRANTS: sa.Table = Grant.__table__  # type: ignore[assignment]
FULFILMENTS: sa.Table = Fulfilment.__table__  # type: ignore[assignment]


class Row:
    """A row as a unit of work holds it: its values by column, read and set as attributes."""

    __slots__ = ("_terms", "is_changed", "values")

    values: dict[str, Any]

    def __init__(self, values: dict[str, Any], *, is_new: bool = False) -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "is_changed", is_new)
        object.__setattr__(self, "_terms", None)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.values:
            raise AttributeError(name)
        if self.values[name] != value:
            self.values[name] = value
            object.__setattr__(self, "is_changed", True)

    def written(self) -> None:
        """Note that the row is planned as it is."""
        object.__setattr__(self, "is_changed", False)

    @property
    def frozen(self) -> Terms:
        """The terms of the row."""
        if self._terms is None:
            object.__setattr__(self, "_terms", parse(self.values["terms"]))
        found: Terms = self._terms
        return found


@dataclass(slots=True)
class Carried:
    """Rows by id, and what stock gives up or gets back."""

    redemptions: dict[bytes, Row] = field(default_factory=dict)
    vouchers: dict[bytes, Row] = field(default_factory=dict)
    #: What orders use of vouchers, by voucher and order.
    uses: dict[tuple[bytes, str], Row] = field(default_factory=dict)
    grants: dict[bytes, Row] = field(default_factory=dict)
    #: By redemption: each has one at most.
    fulfilments: dict[bytes, Row] = field(default_factory=dict)
    #: Sources whose grants are all known, and what could not be given to members, until that is
    #: answered.
    read_sources: set[bytes] = field(default_factory=set)
    problems: dict[bytes, list[dict[str, str]]] = field(default_factory=dict)
    #: What the lines of the orders told in this unit hold, by order: nobody sends it besides.
    skus: dict[str, frozenset[str]] = field(default_factory=dict)
    #: By source: what stands of the cash that it owes, by member and rule, once it was read or is
    #: new; rows of it are planned as they come.
    payables: dict[bytes, dict[tuple[bytes, str], int]] = field(default_factory=dict)
    #: The same of what this unit changed: how much more is owed, or less.
    owed: dict[bytes, dict[tuple[bytes, str], int]] = field(default_factory=dict)
    #: By reward: how many more are taken at the end of the unit than at its beginning; and how
    #: many there are, as first said by a document, where the row may not exist yet.
    stock: dict[str, int] = field(default_factory=dict)
    stock_first: dict[str, int] = field(default_factory=dict)

    def take(self, reward_key: str, count: int, *, first: int | None = None) -> None:
        """Take so many of a reward's stock, or give them back (below zero)."""
        self.stock[reward_key] = self.stock.get(reward_key, 0) + count
        if first is not None:
            self.stock_first[reward_key] = first

    def write(self, writes: Writes) -> None:
        """Plan the rows that changed."""
        for table, rows in (
            (GRANTS, self.grants),
            (REDEMPTIONS, self.redemptions),
            (VOUCHERS, self.vouchers),
            (USES, self.uses),
            (FULFILMENTS, self.fulfilments),
        ):
            for row in rows.values():
                if row.is_changed:
                    writes.replace(table, row.values)
                    row.written()
