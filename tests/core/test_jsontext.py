"""The reader takes JSON and nothing else; what it takes means one thing only."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "Infinity"),
        (b"1e400", "too large"),
        (b"-1e400", "too large"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b'[{"b":{"c":1,"c":2}}]', "twice"),
        (b"9" * 4301, "4300"),
        (b"[" * 100_000, "deep"),
        (b'{"a":' * 50_000, "deep"),
        (b"[" * 65 + b"]" * 65, "deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deep"),
        (b"\xff", "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ("[1]".encode("utf-16"), "UTF-8|line 1"),
        ("[1]".encode("utf-16-le"), "line 1"),
        (b"\xef\xbb\xbf[1]", "line 1"),
        (b'"\x00"', "control"),
        (b'"a\tb"', "control"),
        (b"[1,]", "line 1"),
        (b"[1] [2]", "Extra"),
        (b"01", "Extra"),
        (b"'a'", "line 1"),
        (b"[1", "line 1"),
    ],
    ids=lambda item: ascii(item)[:24],
)
def test_what_is_no_json_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(jsontext.MalformedJson, match=reason):
        jsontext.read(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'"\\u0000"', "\x00"),
        (b'"\\ud800"', "\ud800"),
        (b"9223372036854775808", 2**63),
        (b"9" * 4300, int("9" * 4300)),
        (b"1.5", 1.5),
        (b"1e3", 1000.0),
        (b"[" * 64 + b"]" * 64, None),
        (b' {"a" : [1, null, true]}\n', {"a": [1, None, True]}),
        ('"단골"'.encode(), "단골"),
        (b'{"":0}', {"": 0}),
    ],
    ids=lambda item: ascii(item)[:24],
)
def test_what_is_json_is_read_whatever_it_means(raw: bytes, value: Any) -> None:
    found = jsontext.read(raw)
    assert value is None or (found == value and type(found) is type(value))


@settings(max_examples=200, deadline=None, database=None)
@given(VALUES)
def test_what_we_write_we_and_everybody_else_read(value: Any) -> None:
    raw = jsontext.write(value)
    assert jsontext.read(raw) == value
    assert json.loads(raw) == value
    assert jsontext.parse(jsontext.text(value)) == value


@settings(max_examples=200, deadline=None, database=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_equal_values_have_equal_canonical_forms_and_others_do_not(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert jsontext.canonical(value) == jsontext.canonical(turned)
    assert jsontext.canonical(value) != jsontext.canonical(value | {"more": 1, "\x01": 2})


def test_true_one_and_one_point_nought_are_three_values() -> None:
    assert len({jsontext.canonical(value) for value in (True, 1, 1.0, "1")}) == 4


def test_what_was_read_has_a_canonical_form_even_when_it_cannot_be_stored() -> None:
    for raw in (b'"\\ud800"', b"9" * 4300, b'"\\u0000"'):
        assert jsontext.canonical(jsontext.read(raw))
