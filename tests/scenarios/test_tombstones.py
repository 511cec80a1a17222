"""What is remembered of who was erased: that they had their welcome, for a term."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, ids
from members.erasing import REFERENCES
from members.members import CLAIMS
from storefront.membership import erasure
from tests.scenarios.erasing import WELCOMING, erase, program_id_of, run
from tests.world import World, points

Make = Callable[..., World]


@pytest.fixture
def shop(make_world: Make) -> World:
    """A program that welcomes with 100 points, on 2 March 2026."""
    world = make_world(**WELCOMING)
    world.set_clock("2026-03-02T00:00:00Z")
    world.member("jun")
    return world


def test_signing_up_again_brings_no_second_welcome_until_the_term_ends(shop: World) -> None:
    assert points(shop.member(email="Mina.Kim@gmail.com", phone="010-5555-0101")) == 100
    erase(shop)
    assert points(shop.member("m-2", email="minakim@googlemail.com")) == 0
    assert points(shop.member("m-3", phone="01055550101")) == 0
    # P36M from 2 March 2026, at nine in the morning in Seoul.
    shop.set_clock("2029-03-01T23:59:59Z")
    assert points(shop.member("m-4", email="mina.kim@gmail.com")) == 0
    shop.set_clock("2029-03-02T00:00:00Z")
    assert points(shop.member("m-5", email="mina.kim@gmail.com")) == 100
    assert points(shop.member("m-6", email="mina.kim@gmail.com")) == 0


def test_contacts_that_were_changed_are_remembered_and_end_too(make_world: Make) -> None:
    world = make_world(**WELCOMING, members={"tombstone_for": "P1M"})
    world.set_clock("2026-03-02T00:00:00Z")
    world.member(email="first@example.com")
    world.member(email="second@example.com")
    erase(world)
    assert points(world.member("m-2", email="first@example.com")) == 0
    world.set_clock("2026-04-02T00:00:00Z")
    assert points(world.member("m-3", email="first@example.com")) == 100
    assert points(world.member("m-4", email="second@example.com")) == 100


def test_the_claim_of_somebody_who_lives_does_not_end(make_world: Make) -> None:
    world = make_world(**WELCOMING, members={"tombstone_for": "P1M"})
    world.set_clock("2026-03-02T00:00:00Z")
    assert points(world.member("jun", phone="010-5555-0101")) == 100
    assert points(world.member("mina", phone="010-5555-0101")) == 0
    erase(world)
    world.set_clock("2027-03-02T00:00:00Z")
    assert points(world.member("m-2", phone="010-5555-0101")) == 0


def test_tombstones_say_nobodys_name_and_are_purged_by_the_programs_clock(
    shop: World,
) -> None:
    shop.member(email="mina@example.com")
    erase(shop)

    def rows(table: sa.Table) -> list[Any]:
        statement = sa.select(table).where(table.c.program_id == program_id_of(shop))
        return list(run(shop, lambda connection: connection.execute(statement).all()))

    def purge() -> None:
        with shop.app.app_context():
            while erasure.purge_due(clock.system_now()):
                pass

    ends_at = clock.parse_instant("2029-03-02T00:00:00Z")
    [claim] = rows(CLAIMS)
    assert (claim.member_id, claim.ends_at, len(claim.digest)) == (None, ends_at, 32)
    [reference] = rows(REFERENCES)
    assert (reference.ends_at, len(reference.digest)) == (ends_at, 32)
    shop.set_clock("2029-03-01T23:59:59Z")
    purge()
    assert (len(rows(CLAIMS)), len(rows(REFERENCES))) == (1, 1)
    shop.set_clock("2029-03-02T00:00:00Z")
    purge()
    assert (rows(CLAIMS), rows(REFERENCES)) == ([], [])


def test_the_reference_can_be_anothers_afterwards(shop: World) -> None:
    shop.member(email="mina@example.com")
    old = erase(shop)["member"]["id"]
    new = shop.member(email="other@example.com")
    assert new["member"]["id"] != old
    assert (points(new), shop.balance()) == (0, 0)
    again = erase(shop)
    assert again["member"]["id"] == new["member"]["id"]
    assert erase(shop) == again
    assert erase(shop, old)["member"]["id"] == old


def test_erasing_again_answers_the_same_and_a_stranger_is_404(shop: World) -> None:
    shop.member()
    first = erase(shop)
    shop.set_clock("2026-04-01T00:00:00Z")
    assert erase(shop) == first
    assert erase(shop, first["member"]["id"]) == first
    assert erase(shop, "nobody", status=404)["code"] == "not_found"
    erase(shop, ids.show_id("mem", ids.new_id()), status=404)
    # By the reference it is remembered as long as the tombstone lasts: 36 months.
    shop.set_clock("2029-03-02T00:00:00Z")
    erase(shop, status=404)
    assert erase(shop, first["member"]["id"]) == first


def test_the_same_reference_brings_no_second_welcome_until_the_term_ends(shop: World) -> None:
    for contact in ({"email": "mina@example.com"}, {}):
        shop.member("mina-1", **contact)
        erase(shop, "mina-1")
        assert points(shop.member("mina-1")) == 0
        erase(shop, "mina-1")
    # Whoever it is, and with whatever contact; each erasure begins the term anew.
    assert points(shop.member("mina-1", email="new@example.com")) == 0
    assert points(shop.member("mina-2", email="other@example.com")) == 100
    erase(shop, "mina-2")
    shop.set_clock("2029-03-02T00:00:00Z")
    assert points(shop.member("mina-2")) == 100
    assert shop.verify()["mismatches"] == []
