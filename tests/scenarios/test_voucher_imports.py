"""Imports of codes that are meant badly, or come twice at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.concurrency.parallel import at_once, statuses
from tests.world import World

Make = Callable[..., World]
MIB = 1024 * 1024


@pytest.fixture
def shop(make_world: Make) -> World:
    """A program without anything."""
    return make_world()


def put_text(world: World, text: bytes, key: str = "cinema", *, kind: str = "text/plain") -> Any:
    """Import lines, or another body."""
    return world.app.test_client().put(
        f"/v1/voucher-pools/{key}",
        data=text,
        content_type=kind,
        headers={"Authorization": f"Bearer {world.key}"},
    )


def test_the_same_codes_at_once_in_other_orders_and_pools_come_in_once(shop: World) -> None:
    codes = [b"CODE-%05d" % number for number in range(3000)]
    # Three orders in which two that wait for each other would meet in a circle.
    orders = [codes, codes[::-1], codes[1500:] + codes[:1500]]
    sent = [("one", orders[0]), ("two", orders[1]), ("one", orders[2]), ("two", orders[0])]
    told = at_once([partial(put_text, shop, b"\n".join(many), key) for key, many in sent])
    assert statuses(told) == {200: 4}
    assert sum(one.json["added"] for one in told) == 3000
    pools = [shop.get(f"/voucher-pools/{key}")["total"] for key in ("one", "two")]
    assert sum(pools) == 3000
    # Each of them says of every code where it is.
    for one, (key, _) in zip(told, sent, strict=True):
        taken = 3000 - one.json["added"] - one.json["already_there"]
        assert taken <= pools[key == "one"]
        assert len(one.json["duplicates"]) == min(taken, 1000)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("AB/CD-1234", "slash"),
        ("/refunds/ABCD", "must"),
        ("AB\tCD-12345", "printable"),
        ("AB\u202eCD-1234", "printable"),
        ("vou_01m8150vkvegnbq9xbp9t8q82b", "vou_"),
        ("VOU_ABCD1234", "vou_"),
    ],
    ids=ascii,
)
def test_codes_that_no_address_could_name_are_refused_with_their_line(
    shop: World, bad: str, says: str
) -> None:
    told = put_text(shop, f"AAAA-1111\n{bad}\n".encode())
    assert told.status_code == 422
    [found] = told.json["errors"]
    assert found["pointer"] == "/codes/1" and says in found["detail"]
    told = shop.call("PUT", "/voucher-pools/cinema", {"codes": ["AAAA-1111", bad]})
    assert (told.status_code, told.json["errors"][0]["pointer"]) == (422, "/codes/1")
    assert shop.call("GET", "/voucher-pools/cinema").status_code == 404


def test_a_body_of_nothing_but_faults_is_read_to_the_hundredth(shop: World) -> None:
    told = put_text(shop, b"a\n" * (8 * MIB - 1))
    assert told.status_code == 422
    assert [one["pointer"] for one in told.json["errors"]] == [
        f"/codes/{line}" for line in range(100)
    ]


def test_more_codes_than_may_be_are_told_as_such(shop: World) -> None:
    told = put_text(shop, b"AAAA-1111\n" * 200_001)
    assert (told.status_code, told.json["errors"][0]["pointer"]) == (422, "/codes")
    assert "200,000" in told.json["errors"][0]["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_what_is_too_large_is_told_the_limit_of_this_address(shop: World, kind: str) -> None:
    told = put_text(shop, b"A" * (17 * MIB), kind=kind)
    assert (told.status_code, told.json["code"]) == (413, "payload_too_large")
    assert "16 MiB" in told.json["detail"]
    # Elsewhere it is another one.
    told = shop.call("POST", "/quotes", {"cart": "x" * (2 * MIB)})
    assert told.status_code == 413 and "1 MiB" in told.json["detail"]


def test_a_line_without_end_is_one_fault(shop: World) -> None:
    told = put_text(shop, b"AAAA-1111\n" + b"x" * (3 * MIB) + b"\nBBBB-2222")
    assert told.status_code == 422
    assert [one["pointer"] for one in told.json["errors"]] == ["/codes/1"]
