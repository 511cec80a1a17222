"""Referrals of members who turn out to be one person, and of those who are erased."""

from typing import Any

import pytest
import sqlalchemy as sa

from core import ids
from referrals.models import HouseholdTrust, Lead, OrderContact, ReferralBlock, Trace
from tests.scenarios.attributing import Make, click, code_of, offer, shop, sign_up
from tests.scenarios.erasing import cells, erase, program_id_of, run
from tests.scenarios.test_referral_milestones import (
    LATER,
    bring,
    buy,
    cancel,
    earned_of,
    milestone,
    points,
)
from tests.world import World


def merge(world: World, old: str, into: str) -> Any:
    return world.post(f"/members/{old}/merge", {"into_member_ref": into})


def of(world: World, referral_id: str) -> tuple[str, str | None, dict[str, tuple[str, str | None]]]:
    """State and reason of a referral, and of its sides."""
    found = world.get(f"/referrals/{referral_id}")
    sides = {one["side"]: (one["state"], one["reason"]) for one in found["sides"]}
    return found["state"], found["reason"], sides


PAID = ("rewarded", None)


def test_two_advocates_become_one_and_are_counted_together(make_world: Make) -> None:
    world = shop(make_world, offer(milestones=[milestone(3, points(10_000))]), at=LATER)
    codes = {ref: code_of(world, ref) for ref in ("mina", "jun")}
    bring(world, "mina", "ara")
    bring(world, "mina", "bo")
    of_jun = bring(world, "jun", "cho")["referral"]["id"]
    token = click(world, "jun")
    merge(world, "jun", "mina")
    # Two friends and one make three: 3 × 500, and the milestone.
    assert world.balance("mina") == 1_500 + 10_000
    shown = world.get(f"/referrals/{of_jun}")
    assert shown["advocate"]["member_ref"] == "mina"
    # What either shared leads to the one who stays, and so does what was clicked before.
    found = [
        sign_up(world, ref, {"code": codes[of]}) for ref, of in (("dan", "jun"), ("eve", "mina"))
    ]
    found.append(sign_up(world, "fay", {"token": token}))
    for one in found:
        shown = world.get(f"/referrals/{one['referral']['id']}")
        assert (shown["state"], shown["advocate"]["member_ref"]) == ("identified", "mina")
    # What a friend of the one who is gone brought goes back where it is now.
    cancel(world, "cho")
    assert world.balance("mina") == 1_000
    buy(world, "cho")
    assert world.balance("mina") == 1_500 + 10_000
    assert world.verify()["mismatches"] == []


def test_a_milestone_that_both_reached_is_one_for_each_of_their_friends(make_world: Make) -> None:
    world = shop(make_world, offer(milestones=[milestone(1, points(70))]), at=LATER)
    for advocate, friend in (("mina", "ara"), ("jun", "bo")):
        bring(world, advocate, friend)
    merge(world, "jun", "mina")
    # Nothing is paid anew, and nothing is taken back: 2 × (500 + 70).
    assert world.balance("mina") == 1_140
    bring(world, "mina", "cho")
    assert world.balance("mina") == 1_640
    cancel(world, "ara")
    assert (world.balance("mina"), earned_of(world, "mina", "referral_milestone")) == (1_140, 70)
    cancel(world, "bo")
    cancel(world, "cho")
    assert world.balance("mina") == 0
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize(("old", "into"), [("bo", "ara"), ("ara", "bo")])
def test_of_two_referrals_of_one_friend_the_older_stays(
    make_world: Make, old: str, into: str
) -> None:
    world = shop(make_world, offer(), at=LATER)
    first = bring(world, "mina", "ara")["referral"]["id"]
    world.set_clock("2026-01-04T00:00:00Z")
    second = bring(world, "jun", "bo", placed_at="2026-01-04T00:00:00Z")["referral"]["id"]
    assert (world.balance("mina"), world.balance("jun")) == (500, 500)
    merge(world, old, into)
    assert of(world, first) == ("approved", None, {"advocate": PAID, "friend": PAID})
    taken = ("clawed_back", "ALREADY_REFERRED")
    assert of(world, second) == (
        "rejected",
        "ALREADY_REFERRED",
        {"advocate": taken, "friend": taken},
    )
    # Once 300 as a friend, and 1 for each order.
    assert (world.balance("mina"), world.balance("jun"), world.balance(into)) == (500, 0, 302)
    log = world.get(f"/referrals/{second}")["transitions"]
    assert [one["cause"] for one in log if one["to"] == "rejected"] == ["merge"]
    # The one that stays follows its order still, whoever placed it.
    world.order("of-ara", 100, member_ref=into, placed_at=LATER, status="cancelled")
    assert of(world, first)[2]["advocate"] == ("clawed_back", "ORDER_CANCELLED")
    assert (world.balance("mina"), world.balance(into)) == (0, 1)
    assert world.verify()["mismatches"] == []


def test_what_reviewers_and_traces_say_of_either_holds_for_the_one_who_stays(
    make_world: Make,
) -> None:
    world = shop(make_world, offer(), at=LATER)
    world.member("kim")
    referral_id = ids.read_id("ref", bring(world, "kim", "ara")["referral"]["id"])
    of_member = {
        ref: ids.read_id("mem", world.get(f"/members/{ref}")["id"]) or b""
        for ref in ("mina", "jun", "kim")
    }
    program_id = program_id_of(world)
    said: dict[str, Any] = {"program_id": program_id, "referral_id": referral_id, "created_at": 1}
    seen: dict[str, Any] = {
        "program_id": program_id,
        "kind": "device",
        "epoch": 1,
        "seen_at": 1,
        "expires_at": 9,
    }

    def tell(connection: sa.Connection) -> None:
        for ref, digest in (("mina", 1), ("jun", 1), ("jun", 2)):
            row = seen | {"digest": bytes([digest]) * 32, "member_id": of_member[ref]}
            connection.execute(sa.insert(Trace).values(row))
        for pair in (("mina", "kim"), ("jun", "kim"), ("mina", "jun")):
            first, second = sorted(of_member[ref] for ref in pair)
            row = said | {"first_id": first, "second_id": second}
            connection.execute(sa.insert(HouseholdTrust).values(row))
        for ref in ("mina", "jun"):
            row = said | {"member_id": of_member[ref]}
            connection.execute(sa.insert(ReferralBlock).values(row))

    def found(connection: sa.Connection) -> tuple[set[bytes], set[bytes], list[int]]:
        trusts = connection.execute(
            sa.select(HouseholdTrust.first_id, HouseholdTrust.second_id).where(
                HouseholdTrust.program_id == program_id
            )
        ).all()
        assert len(trusts) == 1
        blocked = connection.execute(
            sa.select(ReferralBlock.member_id).where(ReferralBlock.program_id == program_id)
        ).scalars()
        digests = connection.execute(
            sa.select(Trace.digest).where(
                Trace.member_id == of_member["mina"], Trace.kind == "device"
            )
        ).scalars()
        pair = {bytes(one) for one in trusts[0]}
        return pair, {bytes(one) for one in blocked}, sorted(bytes(one)[0] for one in digests)

    run(world, tell)
    merge(world, "jun", "mina")
    both = {of_member["mina"], of_member["kim"]}
    assert run(world, found) == (both, {of_member["mina"]}, [1, 2])


@pytest.mark.parametrize(("old", "into"), [("ara", "mina"), ("mina", "ara")])
def test_nobody_is_their_own_friend(make_world: Make, old: str, into: str) -> None:
    world = shop(make_world, offer(milestones=[milestone(1, points(70))]), at=LATER)
    of_ara = bring(world, "mina", "ara")["referral"]["id"]
    bring(world, "ara", "bo")
    # Mina: 500 and 70; Ara: 300 and 1 of her own, 500 and 70 for Bo.
    assert (world.balance("mina"), world.balance("ara")) == (570, 871)
    merge(world, old, into)
    taken = ("clawed_back", "SELF_REFERRAL")
    assert of(world, of_ara) == ("rejected", "SELF_REFERRAL", {"advocate": taken, "friend": taken})
    # Left is what Bo brought, one milestone for him, and 1 for the order.
    assert world.balance(into) == 571
    buy(world, "ara", member_ref=into)
    assert world.balance(into) == 571
    assert world.verify()["mismatches"] == []


def test_an_advocate_who_is_erased_in_the_hold_loses_what_waits_and_the_friend_is_paid(
    make_world: Make,
) -> None:
    world = shop(make_world, offer(hold="P14D"), at=LATER)
    code = code_of(world, "mina")
    referral_id = bring(world, "mina", "ara")["referral"]["id"]
    assert of(world, referral_id)[0] == "on_hold"
    erase(world, "mina")
    lost = ("lost", "ERASED")
    assert of(world, referral_id)[2]["advocate"] == lost
    world.post("/test-clock", {"now": "2026-01-18T00:00:00Z"})
    assert of(world, referral_id) == ("approved", None, {"advocate": lost, "friend": PAID})
    assert world.balance("ara") == 301
    # Nobody is brought by them any more.
    answer = sign_up(world, "bo", {"code": code})
    assert answer["referral"]["state"] == "rejected"
    why = world.get(f"/members/ara/why?source=referral:{referral_id}")
    assert why["summary"] == {
        "en": "300 points for being referred by a friend.",
        "ko": "친구의 추천으로 300포인트가 적립되었습니다.",
    }
    assert world.verify()["mismatches"] == []


def test_a_friend_who_is_erased_in_the_hold_is_forgotten_and_the_advocate_is_paid(
    make_world: Make,
) -> None:
    world = shop(make_world, offer(hold="P14D"), at=LATER)
    code = code_of(world, "mina")
    contact = {"email": "ara-personal@example.com", "phone": "+82 10 1234 9876"}
    visitor = {"ip": "203.0.113.77", "user_agent": "Personal/1.0", "device": "personal-device"}
    sign_up(world, "ara-personal", {"code": code}, name="Ara Personal", visitor=visitor, **contact)
    order = {"placed_at": LATER, "contact": contact, "visitor": visitor}
    answer = world.order("A-1", 100, member_ref="ara-personal", **order)
    referral_id = answer["referral"]["id"]
    erase(world, "ara-personal")
    lost = ("lost", "ERASED")
    assert of(world, referral_id)[2]["friend"] == lost

    def count(connection: sa.Connection) -> int:
        tables: list[Any] = [Trace, HouseholdTrust, Lead, OrderContact]
        return sum(
            connection.execute(
                sa.select(sa.func.count()).where(one.program_id == program_id_of(world))
            ).scalar_one()
            for one in tables
        )

    assert run(world, count) == 0
    for place, value in cells(world):
        assert b"ersonal" not in value, place
    world.post("/test-clock", {"now": "2026-01-18T00:00:00Z"})
    assert of(world, referral_id) == ("approved", None, {"advocate": PAID, "friend": lost})
    assert world.balance("mina") == 500
    # A refund finds them all the same.
    world.order("A-1", 100, status="cancelled", placed_at=LATER, member_ref=None)
    assert of(world, referral_id)[2]["advocate"] == ("clawed_back", "ORDER_CANCELLED")
    assert world.balance("mina") == 0
    assert world.verify()["mismatches"] == []


def test_an_erased_friend_keeps_the_verdict_of_their_order(make_world: Make) -> None:
    # The offer that is pinned asks where they bought; the version that decided their order does
    # not, so that their erasure forgets it.
    when = {"fact": "order.location_ref", "op": "=", "value": "hongdae"}
    world = shop(make_world, offer(hold="P14D", qualifies={"when": when}), at=LATER)
    for ref in ("ara", "bo"):
        sign_up(world, ref, {"code": code_of(world, "mina")})
    world.publish(referral_offers=[offer()])
    told: dict[str, Any] = {"placed_at": LATER}
    answers = [
        world.order(f"of-{ref}", 100, member_ref=ref, location_ref=place, **told)
        for ref, place in (("ara", "hongdae"), ("bo", "sinchon"))
    ]
    ara, bo = (answer["referral"]["id"] for answer in answers)
    assert (of(world, ara)[0], of(world, bo)[:2]) == (
        "on_hold",
        ("identified", "CONDITION_NOT_MET"),
    )
    for ref in ("ara", "bo"):
        erase(world, ref)
    world.post("/test-clock", {"now": "2026-01-18T00:00:00Z"})
    assert of(world, ara)[:2] == ("approved", None)
    world.order("of-bo", 100, member_ref=None, **told)
    assert of(world, bo)[:2] == ("identified", "CONDITION_NOT_MET")
    assert world.balance("mina") == 500
    # Told once more, it is paid; cancelled, it is not.
    world.order("of-ara", 100, member_ref=None, **told)
    assert world.balance("mina") == 500
    world.order("of-ara", 100, status="cancelled", member_ref=None, **told)
    assert (of(world, ara)[0], world.balance("mina")) == ("approved", 0)
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize("is_elder", [True, False])
def test_a_merge_that_lets_two_bring_each_other_keeps_the_elder(
    make_world: Make, is_elder: bool
) -> None:
    world = shop(make_world, offer(second_level=[points(100)]), at=LATER)
    of_ara = bring(world, "mina", "ara")["referral"]["id"]
    world.set_clock("2026-01-04T00:00:00Z")
    of_bo = bring(world, "ara", "bo", placed_at="2026-01-04T00:00:00Z")["referral"]["id"]
    # Mina: 500, and 100 for Bo; Ara: 301 and 500; Bo: 301.
    assert [world.balance(ref) for ref in ("mina", "ara", "bo")] == [600, 801, 301]
    # Whichever stays: Ara and Bo brought each other, and Bo would be his own second level.
    merge(world, *(("mina", "bo") if is_elder else ("bo", "mina")))
    one = "bo" if is_elder else "mina"
    taken = ("clawed_back", "MUTUAL_REFERRAL")
    ended = {"advocate": taken, "friend": taken, "second": taken}
    assert of(world, of_bo) == ("rejected", "MUTUAL_REFERRAL", ended)
    assert of(world, of_ara) == ("approved", None, {"advocate": PAID, "friend": PAID})
    assert (world.balance("ara"), world.balance(one)) == (301, 501)
    log = world.get(f"/referrals/{of_bo}")["transitions"]
    assert [line["cause"] for line in log if line["to"] == "rejected"] == ["merge"]
    # Told again it stays so.
    buy(world, "bo", member_ref=one, placed_at="2026-01-04T00:00:00Z")
    assert (world.balance("ara"), world.balance(one)) == (301, 501)
    assert world.verify()["mismatches"] == []


@pytest.mark.parametrize(("old", "into"), [("mina", "bo"), ("bo", "mina"), ("mina", "ara")])
def test_nobody_has_two_sides_of_one_referral(make_world: Make, old: str, into: str) -> None:
    world = shop(make_world, offer(second_level=[points(100)]), at=LATER)
    bring(world, "mina", "ara")
    of_bo = bring(world, "ara", "bo")["referral"]["id"]
    reject(world, "ara")
    # What Mina had of Bo stays: she brought Ara when he bought. 100; Ara: 1 and 500; Bo: 301.
    assert [world.balance(ref) for ref in ("mina", "ara", "bo")] == [100, 501, 301]
    merge(world, old, into)
    assert of(world, of_bo)[2]["second"] == ("clawed_back", "SELF_REFERRAL")
    assert of(world, of_bo)[2]["advocate"] == of(world, of_bo)[2]["friend"] == PAID
    # Cancelled and paid again, it does not come back.
    cancel(world, "bo") if into == "ara" else buy(world, "bo", member_ref=into, status="cancelled")
    buy(world, "bo", member_ref="bo" if into == "ara" else into)
    assert of(world, of_bo)[2]["second"][0] == "clawed_back"
    assert [world.balance(ref) for ref in ("ara", "bo")] == [501, 301]
    assert world.verify()["mismatches"] == []


def test_of_merged_friends_what_stands_beats_what_was_rejected(make_world: Make) -> None:
    # What Ara bought is older than the offer looks back: else she was no new friend of Jun's.
    world = shop(make_world, offer(new_member={"lookback": "P1D"}), at=LATER)
    older = sign_up(world, "ara", {"code": code_of(world, "mina")})["referral"]["id"]
    reject(world, "ara")
    world.set_clock("2026-01-04T00:00:00Z")
    honest = bring(world, "jun", "bo", placed_at="2026-01-04T00:00:00Z")["referral"]["id"]
    merge(world, "bo", "ara")
    assert of(world, honest) == ("approved", None, {"advocate": PAID, "friend": PAID})
    assert of(world, older)[0] == "rejected"
    assert (world.balance("mina"), world.balance("jun"), world.balance("ara")) == (0, 500, 301)
    # Merged on and on, aliases lead to whom they are by now.
    world.member("cho")
    merge(world, "ara", "cho")
    world.member("dan")
    merge(world, "cho", "dan")
    assert (world.balance("jun"), world.balance("dan")) == (500, 301)
    assert world.verify()["mismatches"] == []


def test_who_brought_themselves_is_brought_by_nobody_again(make_world: Make) -> None:
    # Paid once for Mina, it is hers whatever is told later: nobody is paid a second time for it.
    world = shop(make_world, offer(friend_at="signup", qualifies={"trigger": "signup"}), at=LATER)
    referral_id = sign_up(world, "ara", {"code": code_of(world, "mina")})["referral"]["id"]
    merge(world, "mina", "ara")
    taken = ("clawed_back", "SELF_REFERRAL")
    ended = ("rejected", "SELF_REFERRAL", {"advocate": taken, "friend": taken})
    assert of(world, referral_id) == ended
    again = sign_up(world, "ara", {"code": code_of(world, "jun")})
    assert (again["referral"]["state"], again["referral"]["reason"]) == ended[:2]
    assert (world.balance("ara"), world.balance("jun")) == (0, 0)
    buy(world, "ara", referral={"code": code_of(world, "jun")})
    assert (world.balance("ara"), world.balance("jun")) == (1, 0)
    assert of(world, referral_id) == ended
    assert world.verify()["mismatches"] == []


def reject(world: World, friend: str) -> None:
    [found] = world.get(f"/referrals?friend={friend}")["data"]
    world.post(f"/referrals/{found['id']}/reject", {"reason": "looked into"})
