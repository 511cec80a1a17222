"""Friends whom staff brings to an advocate by hand: the strongest evidence (SEMANTICS F39)."""

from typing import Any

from tests.contract.checking import pointers, problem
from tests.scenarios.attributing import Make, code_of, offer
from tests.scenarios.attributing import state as told_state
from tests.scenarios.befriending import fixed, go_to
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
)
from tests.world import World

NOON = "2026-01-01T12:00:00Z"


def shop(make_world: Make, *offers: dict[str, Any], **more: Any) -> World:
    """Orders earn nothing; Mina and Jun are advocates."""
    world = make_world(earning={"rules": []}, referral_offers=list(offers) or [offer()], **more)
    world.set_clock(START)
    world.member("mina")
    world.member("jun")
    return world


def send(world: World, friend: str, *, by: str | None = "Ada", **body: Any) -> Any:
    """Staff's word; the response."""
    headers = {"Idempotency-Key": f"{friend}-{sorted(body.items())}-{by}".replace(" ", "")}
    if by is not None:
        headers["Dangol-Actor"] = by
    told = {"friend": friend, "reason": "told us at the till"} | body
    return world.call("POST", "/referrals", told, headers=headers)


def brought(world: World, friend: str, **body: Any) -> Any:
    """The referral after a word that must be taken."""
    answer = send(world, friend, **body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.json["referral"]


def refused(world: World, friend: str, **body: Any) -> tuple[str, str]:
    """State and reason of a conflict, which changes nothing."""
    before = world.get(f"/referrals?friend={friend}")["data"]
    found = problem(send(world, friend, **body), 409, "state_conflict")
    assert world.get(f"/referrals?friend={friend}")["data"] == before
    return found["state"], found["reason"]


def test_staff_outranks_what_was_told_until_somebody_is_paid(make_world: Make) -> None:
    minimum = {"min_net_minor": 5_000}
    world = shop(make_world, offer(qualifies=minimum, second_level=[fixed(50)]))
    # Mina was brought by Jun, so he has something of the friends whom she brings.
    befriend(world, "mina", by="jun")
    world.member("ida")
    world.member("kim")
    befriend(world, "noa")
    first = find(world, "noa")
    assert (first["method"], sorted(sides(first))) == ("code", ["advocate", "friend", "second"])
    # Staff knows better, and then again, twice the same.
    for number, advocate in enumerate(("kim", "mina", "kim", "kim")):
        found = brought(world, "noa", advocate=advocate, by=f"Ada-{number}")
        assert (state(found), found["method"]) == (("identified", None), "manual")
        assert found["advocate"]["member_ref"] == advocate
    assert [one["why_not"] for one in found["evidence"]["candidates"]][:2] == [
        None,
        "outranked by manual",
    ]
    assert found["evidence"]["candidates"][-1]["method"] == "code"
    line = next(one for one in found["transitions"] if one["action"] == "bring")
    assert (line["cause"], line["note"], line["actor"]) == (
        "review",
        "told us at the till",
        "Ada-0",
    )
    # Nothing there is to be undone; evidence changes nothing either.
    problem(decide(world, "noa", "undo"), 409, "state_conflict")
    told = befriend(world, "noa")
    assert [one["code"] for one in told["problems"]] == ["ALREADY_REFERRED"]
    world.set_clock(NOON)
    assert told_state(buy(world, "noa", at=NOON)) == ("approved", None)
    balances = {ref: world.balance(ref) for ref in ("kim", "noa", "mina", "jun")}
    assert balances == {"kim": 500, "noa": 300, "mina": 0, "jun": 0}
    assert refused(world, "noa", advocate="mina") == ("approved", "ALREADY_REFERRED")
    # Paid and taken back is paid all the same.
    buy(world, "noa", 4_999, at=NOON)
    assert refused(world, "noa", advocate="mina")[1] == "ALREADY_REFERRED"
    assert world.verify()["mismatches"] == []


def test_orders_that_were_told_before_qualify_at_once(make_world: Make) -> None:
    world = shop(make_world)
    world.member("noa")
    code = code_of(world, "mina")
    world.set_clock(NOON)
    buy(world, "noa", at="2026-01-01T06:00:00Z")
    # She had bought before, if she is brought now.
    assert refused(world, "noa", code=code) == ("none", "EXISTING_CUSTOMER")
    found = brought(world, "noa", code=code, at="2026-01-01T05:00:00Z")
    assert (state(found), found["order_ref"]) == (("approved", None), "O-noa")
    assert found["bound_at"] == "2026-01-01T05:00:00Z"
    assert (world.balance("mina"), world.balance("noa")) == (500, 300)
    # Confirmed, what she bought before is held against nobody, whenever it is told again.
    world.member("nia")
    buy(world, "nia", at="2026-01-01T06:00:00Z")
    sure = brought(world, "nia", code=code, is_confirmed=True)
    assert state(sure) == ("identified", None)
    go_to(world, "2026-01-02T00:00:00Z")
    assert told_state(world.order("O-2", 10_000, member_ref="nia", placed_at=NOON)) == (
        "approved",
        None,
    )
    buy(world, "nia", 10_001, at="2026-01-01T06:00:00Z")
    assert (state(find(world, "nia")), world.balance("mina")) == (("approved", None), 1000)
    assert world.verify()["mismatches"] == []


def test_what_nobody_may_is_refused_and_what_is_suspected_may_be_confirmed(
    make_world: Make,
) -> None:
    world = shop(
        make_world,
        offer(review={"four_eyes_above_minor": 799}),
        offer("second", review={"four_eyes_above_minor": 800}),
        points=[{"key": "points", "value": {"points": 1, "minor": 1}}],
    )
    named = {"advocate": "mina", "offer": "second"}
    world.put("/members/mina", {"visitor": HOME | {"payment_fingerprint": "one"}})
    world.member("noa", visitor=SAME_HOME | {"payment_fingerprint": "one"})
    sure = {"is_confirmed": True}
    assert refused(world, "mina", **named, **sure) == ("none", "SELF_REFERRAL")
    assert refused(world, "noa", **named) == ("none", "SELF_REFERRAL")
    # 800 for both: one may confirm it of one offer, two must of the other.
    found = brought(world, "noa", **named, **sure)
    # 1 - 0.75 x 0.65 x 0.05
    assert (state(found), found["score_bp"], found["cleared_bp"]) == (
        ("identified", None),
        9756,
        9756,
    )
    world.member("nia", visitor={"payment_fingerprint": "one"})
    dear = {"advocate": "mina", "offer": "friends"} | sure
    problem(send(world, "nia", by=None, **dear), 409, "state_conflict")
    waits = brought(world, "nia", by="Ada", **dear)
    assert (state(waits), waits["approvals"][0]["actor"]) == (("in_review", None), "Ada")
    problem(decide(world, "nia", "approve", by="Ada"), 409, "state_conflict")
    assert state(decided(world, "nia", "approve", by="Bo")) == ("identified", None)
    world.set_clock(NOON)
    for ref in ("noa", "nia"):
        assert told_state(buy(world, ref, at=NOON)) == ("approved", None)
    assert world.balance("mina") == 1000
    # Two who bring each other, and who is blocked, whatever is confirmed.
    assert refused(world, "mina", advocate="noa", offer="second", **sure)[1] == "MUTUAL_REFERRAL"
    world.member("ned")
    befriend(world, "nel", by="jun")
    decided(world, "nel", "block", who="advocate")
    assert refused(world, "ned", advocate="jun", offer="second", **sure)[1] == "BLOCKED"
    # Who is meant, and by what.
    for body, found_at in (
        ({"offer": "second"}, "/advocate"),
        ({"advocate": "mina", "code": "ABCD"}, "/advocate"),
        ({"advocate": "mina"}, "/offer"),
        ({"advocate": "mina", "offer": "none"}, "/offer"),
        (named | {"at": "2027-01-01T00:00:00Z"}, "/at"),
    ):
        assert pointers(problem(send(world, "ned", **body), 422, "validation_failed")) == [found_at]
    for body in ({"advocate": "nobody"}, {"code": "NOBODY22"}):
        problem(send(world, "ned", **body), 404, "not_found")
    world.key = world.post("/keys", {"name": "r", "scopes": ["read"]}, status=201)["key"]
    problem(send(world, "ned", **named), 403, "forbidden")
    assert world.verify()["mismatches"] == []
