"""Ids sort by time, survive the way out and back, and forgive what people mistype."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import ids


def test_ids_made_later_sort_later_and_never_meet() -> None:
    import time

    first = [ids.new_id() for _ in range(1000)]
    time.sleep(0.002)
    later = ids.new_id()
    assert all(one < later for one in first)
    assert len(set(first)) == 1000


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    import time
    import uuid

    before = time.time_ns() // 1_000_000
    made = uuid.UUID(bytes=ids.new_id())
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before <= made.int >> 80 <= after


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(min_size=16, max_size=16))
def test_an_id_comes_back_as_it_was_shown(value: bytes) -> None:
    shown = ids.show_id("mem", value)
    assert len(shown) == 30
    assert ids.read_id("mem", shown) == value
    assert ids.read_id("mem", "mem_" + shown[4:].upper()) == value


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_shown_ids_sort_as_the_ids_do(one: bytes, other: bytes) -> None:
    assert (one < other) == (ids.show_id("x", one) < ids.show_id("x", other))


def test_known_ids_are_shown_as_worked_out_by_hand() -> None:
    assert ids.show_id("lot", bytes(16)) == "lot_" + "0" * 26
    assert ids.show_id("lot", bytes(15) + b"\x20") == "lot_" + "0" * 24 + "10"
    # 128 ones are 3 bits (7) and 25 times 5 bits (z).
    assert ids.show_id("lot", b"\xff" * 16) == "lot_7" + "z" * 25
    # RFC 9562's example of a UUIDv7, in base 32.
    rfc = bytes.fromhex("017f22e279b07cc398c4dc0c0c07398f")
    number = int.from_bytes(rfc, "big")
    symbols = ""
    while number:
        number, digit = divmod(number, 32)
        symbols = "0123456789abcdefghjkmnpqrstvwxyz"[digit] + symbols
    assert ids.show_id("ent", rfc) == "ent_" + symbols.rjust(26, "0")


def test_what_people_mistype_is_read_as_meant() -> None:
    right = ids.read_id("mem", "mem_01h455vb4pex5vsknk084sn02q")
    assert right is not None
    for typed in (
        "mem_0lh455vb4pex5vsknk084sn02q",
        "mem_Oih455vb4pex5vsknk084sno2q",
        "mem_o1H455VB4PEX5VSKNKO84SN02Q",
    ):
        assert ids.read_id("mem", typed) == right


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mem",
        "mem_",
        "mem_01h455vb4pex5vsknk084sn02",
        "mem_01h455vb4pex5vsknk084sn02qq",
        "ord_01h455vb4pex5vsknk084sn02q",
        "MEM_01h455vb4pex5vsknk084sn02q",
        "01h455vb4pex5vsknk084sn02q",
        "mem_01h455vb4pex5vsknk084sn02u",
        "mem_01h455vb4pex5vsknk084sn02-",
        "mem_01h455vb4pex5vsknk084sn02٣",
        "mem__1h455vb4pex5vsknk084sn02q",
        "mem_80000000000000000000000000",
        "mem_zzzzzzzzzzzzzzzzzzzzzzzzzz",
    ],
)
def test_what_is_no_id_with_this_prefix_is_none(text: str) -> None:
    assert ids.read_id("mem", text) is None
