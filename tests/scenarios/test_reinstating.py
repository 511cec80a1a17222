"""Points that expired and are given again by hand: no more than expired, however often asked."""

from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from loyalty.ledger.rows import LOTS
from tests.concurrency.parallel import assert_sound
from tests.world import World

#: In Seoul the day after 31 March, at whose end the points of these tests expire.
AFTER = "2027-04-01T03:00:00Z"


@pytest.fixture
def shop(world: World) -> World:
    """A program whose clock stands on 1 March 2027."""
    world.set_clock("2027-03-01T03:00:00Z")
    return world


def adjust(world: World, points: int, *, status: int = 201, **more: Any) -> Any:
    body = {"member_ref": "mina", "points": points, "reason": "goodwill"} | more
    return world.post("/adjustments", body, status=status)


def dated(world: World, points: int) -> str:
    """Points until the end of March; the id of their lot."""
    entry = adjust(world, points, expires_at="2027-03-31T15:00:00Z")["entry"]
    found: str = world.get(f"/entries/{entry['id']}")["lots"][0]["id"]
    return found


def test_what_expired_of_a_lot_is_given_again_once(shop: World) -> None:
    lot_id = dated(shop, 100)
    adjust(shop, -30)
    shop.set_clock(AFTER)
    later: dict[str, Any] = {"lot_id": lot_id, "expires_at": "2027-06-30T15:00:00Z"}
    # 30 of 100 were taken, so 70 expired: no more than these come back, however often.
    refused = adjust(shop, 71, **later, status=409)
    assert (refused["code"], refused["available"]) == ("insufficient_points", 70)
    given = adjust(shop, 50, **later)["entry"]
    assert adjust(shop, 21, **later, status=409)["available"] == 20
    adjust(shop, 20, lot_id=lot_id, expires_at=None)
    assert adjust(shop, 1, **later, status=409)["available"] == 0
    [account] = shop.get("/members/mina/balances")["data"]
    assert account["available"] == 70
    assert account["expiring"] == [{"expires_at": "2027-06-30T15:00:00Z", "points": 50}]
    touched = {one["id"]: one["change"] for one in shop.get(f"/entries/{given['id']}")["lots"]}
    assert touched.pop(lot_id) == 0 and list(touched.values()) == [50]
    assert_sound(shop)


def twin_of(world: World, lot_id: str) -> str:
    """The lot as which another went on after a merge."""
    origin_id = ids.read_id("lot", lot_id)
    with world.app.app_context():
        [made] = db.reading(
            lambda one: list(
                one.execute(sa.select(LOTS.c.id).where(LOTS.c.origin_lot_id == origin_id))
            )
        )
    return ids.show_id("lot", bytes(made.id))


def test_what_was_given_again_is_known_after_a_merge_and_a_hole_takes_of_it(shop: World) -> None:
    lot_id = dated(shop, 100)
    shop.set_clock(AFTER)
    adjust(shop, -15, allow_negative=True)
    # 10 of the 15 below zero take all of these; nothing of them is left to spend.
    adjust(shop, 10, lot_id=lot_id, expires_at=None)
    adjust(shop, 30, lot_id=lot_id, expires_at=None)
    assert shop.balance() == -15 + 10 + 30
    assert_sound(shop)
    shop.post("/members/mina/merge", {"into_member_ref": "jun"})
    moved = twin_of(shop, lot_id)
    refused = adjust(shop, 61, member_ref="jun", lot_id=moved, expires_at=None, status=409)
    assert refused["available"] == 60
    adjust(shop, 60, member_ref="jun", lot_id=moved, expires_at=None)
    assert shop.balance("jun") == 85
    assert_sound(shop)
