"""Reviews of referrals: approved, rejected, blocked, trusted, undone, by two people where it costs
much; and what staff sees of both."""

from typing import Any

from tests.contract.checking import problem
from tests.scenarios.attributing import Make, code_of, offer, shop
from tests.scenarios.attributing import state as told_state
from tests.scenarios.suspecting import (
    HOME,
    SAME_HOME,
    START,
    befriend,
    buy,
    decide,
    decided,
    find,
    sides,
    state,
    weights,
)
from tests.world import World

NOON = "2026-01-01T12:00:00Z"
PAID, UNPAID = (500, 400), (0, 100)


def suspected(make_world: Make, *refs: str, **more: Any) -> World:
    """Mina's friends who live where she does, and bought: 1 - 0.75 x 0.65, so they are reviewed.
    An order earns its friend 100; the referral 300, and Mina 500."""
    world = shop(make_world, offer(**more))
    world.member("mina", visitor=HOME, email="minji@naver.com", phone="010-1234-5678")
    for ref in refs:
        befriend(world, ref, visitor=SAME_HOME, name="김노아")
    world.set_clock(NOON)
    for ref in refs:
        buy(world, ref, at=NOON)
    return world


def balances(world: World, friend: str = "noa") -> tuple[int, int]:
    """Mina's points, and her friend's."""
    return world.balance("mina"), world.balance(friend)


def log(referral: Any) -> list[tuple[Any, ...]]:
    """What became of the whole referral: from, to, reason, action, actor."""
    return [
        tuple(line[name] for name in ("from", "to", "reason", "action", "actor"))
        for line in referral["transitions"]
        if line["side"] is None
    ]


def test_decisions_pay_take_back_and_are_undone_once(make_world: Make) -> None:
    world = suspected(make_world, "noa")
    assert balances(world) == UNPAID
    approved = decided(world, "noa", "approve")
    assert state(approved) == ("approved", None)
    assert (approved["cleared_bp"], approved["approved_at"]) == (5125, NOON)
    assert balances(world) == PAID
    conflict = problem(decide(world, "noa", "approve"), 409, "state_conflict")
    assert conflict["state"] == "approved"
    # Undone: as before it, by somebody, with a reason of their own.
    undone = decided(world, "noa", "undo", by="Bo")
    assert (state(undone), undone["cleared_bp"]) == (("in_review", None), 0)
    assert undone["counts"] is False
    assert sides(undone) == {"advocate": "clawed_back", "friend": "clawed_back"}
    assert balances(world) == UNPAID
    problem(decide(world, "noa", "undo"), 409, "state_conflict")
    # Told again, the order changes nothing; approved again, the same lots come back.
    assert told_state(buy(world, "noa", 10_001, at=NOON)) == ("in_review", None)
    assert state(decided(world, "noa", "approve")) == ("approved", None)
    assert balances(world) == PAID
    assert len(world.get("/members/mina/lots")["data"]) == 1
    # Rejected after it was paid; undone, paid again.
    rejected = decided(world, "noa", "reject")
    assert (state(rejected), rejected["counts"]) == (("rejected", "MANUAL"), False)
    assert balances(world) == UNPAID
    problem(decide(world, "noa", "reject"), 409, "state_conflict")
    back = decided(world, "noa", "undo")
    assert (state(back), back["counts"]) == (("approved", None), True)
    assert balances(world) == PAID
    assert [line for line in log(back) if line[3] is not None] == [
        ("in_review", "in_review", None, "approve", "Ada"),
        ("approved", "in_review", None, "undo", "Bo"),
        ("in_review", "in_review", None, "approve", "Ada"),
        ("approved", "rejected", "MANUAL", "reject", "Ada"),
        ("rejected", "approved", None, "undo", "Ada"),
    ]
    assert {line["note"] for line in back["transitions"]} == {None, "looked into"}
    assert [line["number"] for line in back["transitions"]] == list(
        range(1, len(back["transitions"]) + 1)
    )
    assert world.verify()["mismatches"] == []


def test_what_waits_is_cleared_and_what_was_refused_may_be_approved(make_world: Make) -> None:
    world = suspected(make_world, "noa", hold="P14D")
    assert state(find(world, "noa")) == ("on_hold", None)
    cleared = decided(world, "noa", "approve")
    assert (state(cleared), cleared["cleared_bp"]) == (("on_hold", None), 5125)
    world.member("jun", visitor={"payment_fingerprint": "P-1"})
    thief = {"payment_fingerprint": "P-1"}
    assert told_state(befriend(world, "nel", by="jun", visitor=thief)) == (
        "rejected",
        "SELF_REFERRAL",
    )
    buy(world, "nel", at=NOON)
    mended = decided(world, "nel", "approve")
    assert (state(mended), mended["is_bound"]) == (("on_hold", None), True)
    undone = decided(world, "nel", "undo")
    assert (state(undone), undone["is_bound"]) == (("rejected", "SELF_REFERRAL"), False)
    assert state(decided(world, "nel", "approve")) == ("on_hold", None)
    # Nobody can be cleared of being themselves, nor what nobody suspects be approved.
    befriend(world, "jun", by="jun")
    problem(decide(world, "jun", "approve"), 409, "state_conflict")
    befriend(world, "nia")
    problem(decide(world, "nia", "approve"), 409, "state_conflict")
    assert state(decided(world, "nia", "reject")) == ("rejected", "MANUAL")
    buy(world, "nia", at=NOON)
    assert state(find(world, "nia")) == ("rejected", "MANUAL")
    assert state(decided(world, "nia", "undo")) == ("on_hold", None)
    # Fourteen days later both are paid without a further look.
    world.post("/test-clock", {"now": "2026-01-15T12:00:00Z"})
    assert [state(find(world, ref))[0] for ref in ("noa", "nel", "nia")] == ["approved"] * 3
    assert (world.balance("mina"), world.balance("jun")) == (1000, 500)
    assert world.verify()["mismatches"] == []


def test_who_is_blocked_neither_refers_nor_is_referred(make_world: Make) -> None:
    world = suspected(make_world, "noa", "nia")
    code_of(world, "nia")
    blocked = decided(world, "noa", "block", who="advocate")
    assert state(blocked) == ("rejected", "BLOCKED")
    assert told_state(befriend(world, "nel")) == ("rejected", "BLOCKED")
    # What waits of hers is not approved either.
    problem(decide(world, "nia", "approve"), 409, "state_conflict")
    problem(decide(world, "noa", "block", who="advocate"), 409, "state_conflict")
    assert state(decided(world, "noa", "undo")) == ("in_review", None)
    assert told_state(befriend(world, "ned")) == ("identified", None)
    # Whoever was refused for her meanwhile may be approved by now.
    mended = decided(world, "nel", "approve")
    assert (state(mended), mended["is_bound"]) == (("identified", None), True)
    # Both, after it was paid: taken back.
    decided(world, "nia", "approve")
    assert balances(world, "nia") == PAID
    assert state(decided(world, "nia", "block")) == ("rejected", "BLOCKED")
    assert balances(world, "nia") == UNPAID
    assert told_state(befriend(world, "nox", by="nia")) == ("rejected", "BLOCKED")
    assert state(decided(world, "nia", "undo")) == ("approved", None)
    assert balances(world, "nia") == PAID


def test_a_trusted_household_is_held_against_nobody(make_world: Make) -> None:
    world = suspected(make_world, "noa")
    trusted = decided(world, "noa", "trust")
    assert (state(trusted), trusted["score_bp"]) == (("approved", None), 0)
    assert weights(trusted) == {"ip_prefix": 0, "user_agent": 0}
    assert all(one["detail"]["is_trusted"] for one in trusted["signals"])
    assert balances(world) == PAID
    problem(decide(world, "noa", "trust"), 409, "state_conflict")
    undone = decided(world, "noa", "undo")
    assert state(undone) == ("in_review", None)
    assert balances(world) == UNPAID
    # Trust is gone: looked at again, it weighs what it did.
    assert weights(decided(world, "noa", "approve")) == {"ip_prefix": 2500, "user_agent": 3500}


def test_what_costs_much_needs_two_people(make_world: Make) -> None:
    # 500 + 300 points at 0.01 each: 800 minor units.
    review = {"four_eyes_above_minor": 799}
    points = [{"key": "points", "value": {"points": 1, "minor": 1}}]

    def dear(**changes: Any) -> World:
        return make_world(points=points, **changes)

    world = suspected(dear, "noa", "nia", review=review)
    problem(decide(world, "noa", "approve", by=None), 409, "state_conflict")
    first = decided(world, "noa", "approve", by="Ada")
    assert (state(first), first["cleared_bp"]) == (("in_review", None), 0)
    assert first["approvals"] == [{"actor": "Ada", "approved_at": NOON, "cost_minor": 800}]
    assert balances(world) == UNPAID
    problem(decide(world, "noa", "approve", by="Ada"), 409, "state_conflict")
    # One thinks better of it, and of that.
    assert decided(world, "noa", "undo", by="Ada")["approvals"] == []
    decided(world, "noa", "approve", by="Ada")
    # Trusting pays as approving does.
    second = decided(world, "noa", "trust", by="Bo")
    assert state(second) == ("approved", None)
    assert [one["actor"] for one in second["approvals"]] == ["Ada", "Bo"]
    assert balances(world) == PAID
    back = decided(world, "noa", "undo", by="Cy")
    assert world.verify()["mismatches"] == []
    assert [one["actor"] for one in back["approvals"]] == ["Ada"]
    # One is enough where it costs no more than one may approve.
    world.publish(points=points, referral_offers=[offer(review={"four_eyes_above_minor": 800})])
    assert state(decided(world, "nia", "approve", by=None)) == ("approved", None)


def test_nothing_is_cleared_by_what_weighs_nothing(make_world: Make) -> None:
    # Everybody is looked at, and nothing speaks against Noa: undone, she waits again.
    world = shop(make_world, offer(review={"review_at_bp": 0}))
    befriend(world, "noa")
    world.set_clock(NOON)
    assert told_state(buy(world, "noa", at=NOON)) == ("in_review", None)
    assert state(decided(world, "noa", "approve")) == ("approved", None)
    undone = decided(world, "noa", "undo")
    assert (state(undone), balances(world)) == (("in_review", None), UNPAID)
    # A ring weighs little and is looked at all the same: once, whoever ends that.
    review = {"weights": {"ring": 1000}, "timeout": "P1D"}
    world = shop(make_world, offer(review=review, friend_at="signup"))
    befriend(world, "bo")
    befriend(world, "cy", by="bo")
    assert told_state(befriend(world, "mina", by="cy")) == ("in_review", None)
    world.post("/test-clock", {"now": "2026-01-03T00:00:00Z"})
    assert find(world, "mina")["score_bp"] == 1000
    assert told_state(buy(world, "mina", at="2026-01-03T00:00:00Z")) == ("approved", None)


def test_undoing_leaves_what_the_decision_did_not_pay(make_world: Make) -> None:
    world = shop(make_world, offer(friend_at="signup"))
    world.member("mina", visitor=HOME)
    befriend(world, "noa")
    # Paid at once; where she lives is seen later, and counts when her order qualifies.
    world.member("noa", visitor=SAME_HOME)
    world.set_clock(NOON)
    assert told_state(buy(world, "noa", at=NOON)) == ("in_review", None)
    assert balances(world) == (0, 400)
    decided(world, "noa", "approve")
    assert balances(world) == PAID
    undone = decided(world, "noa", "undo")
    assert (state(undone), balances(world)) == (("in_review", None), (0, 400))
    of_friend = [line["to"] for line in undone["transitions"] if line["side"] == "friend"]
    assert of_friend == ["rewarded"]
    assert sides(undone) == {"advocate": "clawed_back", "friend": "rewarded"}
    assert [one["kind"] for one in world.entries("noa")] == ["earn", "earn"]
    # What the decision itself paid at once goes back, and waits for the next one.
    befriend(world, "nia", visitor=SAME_HOME, joined_at=START)
    buy(world, "nia", at=NOON)
    assert world.balance("nia") == 100
    assert state(decided(world, "nia", "approve")) == ("approved", None)
    assert balances(world, "nia") == PAID
    undone = decided(world, "nia", "undo")
    assert (state(undone), balances(world, "nia")) == (("in_review", None), UNPAID)
    assert state(decided(world, "nia", "approve")) == ("approved", None)
    assert balances(world, "nia") == PAID
    assert world.verify()["mismatches"] == []


def test_another_advocate_starts_anew(make_world: Make) -> None:
    # What was decided of a refused advocate is no approval of the next one, nor is it paid for.
    points = [{"key": "points", "value": {"points": 1, "minor": 1}}]
    world = make_world(
        points=points,
        referral_offers=[offer(review={"four_eyes_above_minor": 1})],
    )
    world.set_clock(START)
    for ref, device in (("mina", "P-1"), ("jun", "P-2"), ("kim", "P-3")):
        world.member(ref, visitor={"payment_fingerprint": device})
    thief = {"payment_fingerprint": "P-2"}
    assert told_state(befriend(world, "nel", by="jun", visitor=thief))[0] == "rejected"
    decided(world, "nel", "approve", by="Ada")
    assert decided(world, "nel", "approve", by="Bo")["is_bound"]
    undone = decided(world, "nel", "undo", by="Bo")
    assert [one["actor"] for one in undone["approvals"]] == ["Ada"]
    assert told_state(befriend(world, "nel")) == ("identified", None)
    found = find(world, "nel")
    assert (found["approvals"], found["cleared_bp"]) == ([], 0)
    world.set_clock(NOON)
    assert told_state(buy(world, "nel", at=NOON)) == ("approved", None)
    assert (world.balance("mina"), world.balance("jun"), world.balance("nel")) == (500, 0, 400)
    assert world.verify()["mismatches"] == []


def test_staff_sees_both_masked_and_the_queue(make_world: Make) -> None:
    world = suspected(make_world, "noa", "nia", "nel")
    befriend(world, "ned")
    queue = world.get("/referrals?state=in_review&limit=2")
    assert [one["friend_ref"] for one in queue["data"]] == ["noa", "nia"]
    assert queue["counts"] == {"identified": 1, "in_review": 3}
    rest = world.get(f"/referrals?state=in_review&limit=2&cursor={queue['next_cursor']}")
    assert [one["friend_ref"] for one in rest["data"]] == ["nel"]
    # Each row is enough to choose whom to look at.
    row = queue["data"][0]
    assert row["advocate"] == {"member_ref": "mina", "name": None}
    assert row["friend"] == {"member_ref": "noa", "name": "김***"}
    waiting = {"state": "waiting", "reason": None}
    assert row["sides"] == [{"side": "advocate"} | waiting, {"side": "friend"} | waiting]
    assert weights(row) == {"user_agent": 3500, "ip_prefix": 2500}
    assert row["signals"] == find(world, "noa")["signals"]
    newest = world.get("/referrals?advocate=mina&offer=friends")
    assert [one["friend_ref"] for one in newest["data"]] == ["ned", "nel", "nia", "noa"]
    assert "counts" not in newest
    assert world.get("/referrals?advocate=jun")["data"] == []
    problem(world.call("GET", "/referrals?advocate=nobody"), 404, "not_found")
    problem(world.call("GET", "/referrals/ref_unknown"), 404, "not_found")
    noa = find(world, "noa")
    assert noa["advocate"] == {
        "member_ref": "mina",
        "email": "m***@n***.com",
        "phone": "***78",
        "name": None,
        "joined_at": START,
        "account_days": 0,
        "is_enrolled": True,
        "orders_count": 0,
        "other_referrals_count": 3,
    }
    assert (noa["friend"]["name"], noa["friend"]["orders_count"]) == ("김***", 1)
    assert (noa["method"], noa["net_minor"], noa["order_ref"]) == ("code", 10_000, "O-noa")
    assert "203.0.113" not in str(noa) and "Chrome" not in str(noa)
    # What it brought, and that a repeated request decides nothing twice.
    headers = {"Idempotency-Key": "once", "Dangol-Actor": "Ada"}
    path = f"/referrals/{noa['id']}/approve"
    answers = [world.call("POST", path, {"reason": "siblings"}, headers=headers) for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    advocate, friend = answers[0].json["referral"]["sides"]
    assert (advocate["member_ref"], friend["member_ref"]) == ("mina", "noa")
    assert [(one["points"], one["state"]) for one in advocate["earned"]] == [(500, "available")]
    assert [one["points"] for one in friend["earned"]] == [300]
    # The worst first: Ned has Mina's device besides and buys at once, 1 - 0.4875 x 0.40 x 0.85.
    for ref in ("mina", "ned"):
        world.put(f"/members/{ref}", {"visitor": SAME_HOME | {"device": "D-1"}})
    buy(world, "ned", at=NOON)

    def found(query: str) -> list[tuple[str, int]]:
        page = world.get(f"/referrals?limit=2&{query}")
        data: list[Any] = page["data"]
        while page["next_cursor"] is not None:
            page = world.get(f"/referrals?limit=2&{query}&cursor={page['next_cursor']}")
            data += page["data"]
        return [(one["friend_ref"], one["score_bp"]) for one in data]

    by_score = [("ned", 8342), ("nia", 5125), ("nel", 5125)]
    assert found("state=in_review&order=score") == by_score
    assert found("state=in_review") == [*by_score[1:], by_score[0]]
    assert found("state=approved,in_review") == [*by_score[:1], *by_score[:0:-1], ("noa", 5125)]
    problem(world.call("GET", "/referrals?state=approved,nothing"), 422, "validation_failed")
    by_id = world.get("/referrals?state=in_review&limit=1")["next_cursor"]
    problem(world.call("GET", f"/referrals?order=score&cursor={by_id}"), 400, "invalid_cursor")
    # Whoever may only read may not decide; nobody else sees anything.
    reading = world.post("/keys", {"name": "r", "scopes": ["read"]}, status=201)["key"]
    world.key = reading
    assert world.get(f"/referrals/{noa['id']}")["state"] == "approved"
    problem(decide(world, "nia", "approve"), 403, "forbidden")
