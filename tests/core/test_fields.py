"""Lists of a body: how much of them is looked at before they are refused."""

from typing import Any

import marshmallow as ma
import pytest

from core.fields import Items


class Counting(ma.fields.Field[Any]):
    """Counts what it is given and refuses all of it."""

    seen = 0

    def _deserialize(self, *_: Any, **__: Any) -> Any:
        self.seen += 1
        raise ma.ValidationError("no")


def seen(items: Items) -> int:
    assert isinstance(items.inner, Counting)
    return items.inner.seen


def test_no_item_of_a_list_that_is_too_long_is_looked_at() -> None:
    items = Items(Counting(), most=10)
    with pytest.raises(ma.ValidationError, match="0 to 10 items"):
        items.deserialize([1] * 11)
    assert seen(items) == 0


def test_a_list_of_faults_is_given_up_after_twenty() -> None:
    items = Items(Counting(), most=1000)
    with pytest.raises(ma.ValidationError) as raised:
        items.deserialize([1] * 1000)
    assert seen(items) == len(raised.value.messages) == 20
