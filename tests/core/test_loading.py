"""The fast loader gives what marshmallow gives, and leaves every fault to it."""

from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import loading
from orders.schemas import OrderSchema

SCHEMA = OrderSchema()
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**64),
    st.floats(allow_nan=False),
    st.text(max_size=5),
)
LINE = st.fixed_dictionaries(
    {
        "line_ref": st.sampled_from(["1", "2", "a b", ""]),
        "quantity": st.integers(-1, 5),
        "unit_price_minor": st.integers(0, 10_000),
    },
    optional={
        "categories": st.lists(st.one_of(st.text(max_size=3), st.none()), max_size=3),
        "is_gift_card": st.one_of(st.booleans(), st.just("yes")),
        "attributes": st.dictionaries(st.sampled_from(["colour", "ß", "n"]), ANYTHING, max_size=2),
        "refunded_minor": st.one_of(st.integers(0, 9), st.none()),
        "surprise": ANYTHING,
    },
)
ORDER = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["paid", "pending", "lost"]),
        "currency": st.sampled_from(["EUR", "KRW", "eur", "XXXX"]),
        "placed_at": st.sampled_from(
            ["2026-03-01T10:00:00Z", "2026-03-01", "2026-03-01T10:00:00+09:00"]
        ),
        "lines": st.one_of(st.lists(LINE, max_size=3), ANYTHING),
    },
    optional={
        "member_ref": st.one_of(st.none(), st.text(max_size=4)),
        "paid_at": st.one_of(st.none(), st.just("2026-03-01T10:00:00Z")),
        "payments": st.lists(
            st.fixed_dictionaries({"kind": st.just("card"), "amount_minor": st.integers(0, 9)}),
            max_size=2,
        ),
        "contact": st.one_of(st.none(), st.fixed_dictionaries({"email": st.text(max_size=5)})),
        "codes": ANYTHING,
        "revision": ANYTHING,
        "nonsense": ANYTHING,
    },
)


def outcome(load: Any, body: Any) -> Any:
    try:
        return load(body)
    except ma.ValidationError as error:
        return error.messages


@settings(max_examples=400, deadline=None)
@given(body=st.one_of(ORDER, ANYTHING))
def test_the_fast_loader_agrees_with_marshmallow(body: Any) -> None:
    assert outcome(lambda one: loading.load(SCHEMA, one), body) == outcome(SCHEMA.load, body)


def test_an_order_in_good_order_is_loaded_with_its_defaults() -> None:
    body = {
        "status": "paid",
        "currency": "EUR",
        "placed_at": "1970-01-01T00:00:01Z",
        "lines": [{"line_ref": "1", "quantity": 2, "unit_price_minor": 150}],
    }
    loaded = loading.load(SCHEMA, body)
    assert loaded["placed_at"] == 1_000_000
    assert loaded["discount_minor"] == 0 and loaded["is_history"] is False
    assert loaded["lines"][0]["refunded_quantity"] == 0


def test_a_fault_is_worded_by_marshmallow() -> None:
    with pytest.raises(ma.ValidationError) as raised:
        loading.load(SCHEMA, {"status": "paid", "lines": [{}]})
    assert set(raised.value.messages) >= {"currency", "placed_at", "lines"}
