"""SEMANTICS F43, F44: what speaks against a referral, and what becomes of it; nothing is kept in
clear."""

import dataclasses
import functools
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db, ids
from referrals import traces
from referrals.carried import TRANSITIONS
from tests.contract import checking
from tests.scenarios.attributing import Make, code_of, offer, shop
from tests.scenarios.attributing import state as told_state
from tests.scenarios.befriending import go_to
from tests.scenarios.suspecting import (
    HOME,
    NEXT_DOOR,
    SAME_HOME,
    START,
    befriend,
    buy,
    find,
    sides,
    state,
    weights,
)
from tests.world import World

NOON = "2026-01-01T12:00:00Z"


def test_what_a_household_shares_is_reviewed_and_a_mailbox_refused(make_world: Make) -> None:
    world = shop(make_world)
    world.member("mina", visitor=HOME, email="Min.Ji@naver.com")
    # The same network alone, 0.25: nobody looks.
    befriend(world, "nia", visitor=NEXT_DOOR)
    signed = befriend(world, "noa", visitor=SAME_HOME)
    world.set_clock(NOON)
    assert told_state(buy(world, "nia", at=NOON)) == ("approved", None)
    nia = find(world, "nia")
    assert (nia["score_bp"], weights(nia)) == (2500, {"ip_prefix": 2500})
    assert sides(nia) == {"advocate": "rewarded", "friend": "rewarded"}
    assert (world.balance("mina"), world.balance("nia")) == (500, 300 + 100)
    # With the same family of browser, 1 - 0.75 x 0.65 = 0.5125: reviewed, and nobody is paid.
    bought = buy(world, "noa", at=NOON)
    assert told_state(bought) == ("in_review", None)
    noa = find(world, "noa")
    assert (noa["score_bp"], weights(noa)) == (5125, {"user_agent": 3500, "ip_prefix": 2500})
    assert (world.balance("mina"), world.balance("noa")) == (500, 100)
    # The friend reads what anybody reads whose order waits.
    assert signed["referral"]["message"]["en"] == "Your invitation is noted."
    waits = "Your order counts for the invitation; what it brings follows."
    assert bought["referral"]["message"]["en"] == waits
    [queued] = world.get("/referrals?state=in_review")["data"]
    assert (queued["friend_ref"], list(weights(queued))) == ("noa", ["user_agent", "ip_prefix"])
    # Evidence says where it was seen and when.
    [agent, _] = noa["signals"]
    assert agent["detail"]["from"] == "visitor"
    assert agent["detail"]["friend_seen_at"] == START
    # Another spelling of a mailbox that is another one there; one that is the same elsewhere.
    befriend(world, "ned", email="minji@naver.com")
    assert find(world, "ned")["signals"] == []
    world.member("jun", email="jun.park+shop@gmail.com", phone="+82 10-1234-5678")
    refused = befriend(world, "nox", by="jun", email="JunPark@googlemail.com")
    assert told_state(refused) == ("rejected", "SELF_REFERRAL")
    nox = find(world, "nox")
    assert (nox["score_bp"], weights(nox)) == (9500, {"email": 9500})
    assert not nox["is_bound"]
    same_phone = befriend(world, "noe", by="jun", phone="010-1234-5678")
    assert told_state(same_phone) == ("identified", None)  # a national number may be elsewhere
    by_phone = befriend(world, "nel", by="jun", phone="+82 (0)10 1234 5678")
    assert told_state(by_phone) == ("rejected", "SELF_REFERRAL")
    # What was refused for it reads like any other refusal.
    again = befriend(world, "mina", by="mina")
    assert again["referral"]["message"] == refused["referral"]["message"]


def test_contacts_of_orders_are_compared_as_those_of_members_are(make_world: Make) -> None:
    world = shop(make_world, offer(hold="P14D"))
    world.member("mina", email="minji@naver.com", phone="+82 10 1111 2222")
    world.order("M-1", 5_000, placed_at=START, contact={"email": "mina.work@naver.com"})
    mail, phone = {"email": "MinJi@Naver.com"}, {"phone": "+82 (0)10-1111-2222"}
    told: dict[str, Any] = {"referral": {"code": code_of(world, "mina")}}
    work = {"email": "mina.work@naver.com", "phone": "+82 10 7777 7777"}
    # At once with the evidence: her own mailbox, and one that only her own order was told with.
    for ref, contact in (("ned", mail), ("noe", work)):
        world.member(ref)
        refused = buy(world, ref, at=START, contact=contact, **told)
        assert told_state(refused) == ("rejected", "SELF_REFERRAL"), ref
        assert weights(find(world, ref)) == {"email": 9500}
        assert find(world, ref)["signals"][0]["detail"]["from"] == "order"
    # A member's own mailbox, which is that of one of her orders.
    refused = befriend(world, "nel", email="mina.work@naver.com")
    assert told_state(refused) == ("rejected", "SELF_REFERRAL")
    # With an order later than the evidence, found when the hold ends; also by another address
    # than the one they signed up with.
    befriend(world, "nia", email="nia@naver.com")
    held = buy(world, "nia", at=START, contact={**phone, "email": "nia@naver.com"})
    assert told_state(held) == ("on_hold", None)
    # A guest's order that is handed over, told before and after anybody brought them.
    for ref in ("noa", "nox"):
        guest = world.order(
            f"G-{ref}", 10_000, member_ref=None, placed_at=START, contact={"phone": "+821011112222"}
        )
        befriend(world, ref)
        world.post("/claims", {"token": guest["claim_token"], "member_ref": ref})
    # Somebody else's contact, and hers on an order that turns out to be her own.
    befriend(world, "nur")
    buy(world, "nur", at=START, contact={"email": "nur@naver.com"})
    world.order("X-1", 100, member_ref="nur", placed_at=START, contact=mail)
    world.order("X-1", 100, member_ref="mina", placed_at=START, contact=mail)
    go_to(world, "2026-01-20T00:00:00Z")
    for ref, kind in (("nia", "phone"), ("noa", "phone"), ("nox", "phone")):
        assert state(find(world, ref)) == ("rejected", "SELF_REFERRAL"), ref
        assert kind in weights(find(world, ref))
    assert state(find(world, "nur")) == ("approved", None)
    assert sides(find(world, "nia"))["advocate"] == "waiting"


def test_many_friends_young_accounts_and_throw_away_mail_add_up(make_world: Make) -> None:
    world = shop(make_world)
    for number in range(1, 7):
        befriend(world, f"f{number}")
    assert find(world, "f5")["signals"] == []
    # The sixth of the hour: 0.35.
    assert weights(find(world, "f6")) == {"velocity": 3500}
    # Half an hour old at the order: 1 - 0.65 x 0.85 = 0.4475, below a review.
    world.set_clock("2026-01-01T00:30:00Z")
    assert told_state(buy(world, "f6", at="2026-01-01T00:30:00Z")) == ("approved", None)
    f6 = find(world, "f6")
    assert (f6["score_bp"], weights(f6)) == (4475, {"velocity": 3500, "new_account": 1500})
    # Eleven hours later nobody counts any more; an hour old is not new: 0.50.
    world.set_clock("2026-01-01T11:00:00Z")
    befriend(world, "f7", email="x@box.mailinator.com", joined_at="2026-01-01T11:00:00Z")
    world.set_clock(NOON)
    assert told_state(buy(world, "f7", at=NOON)) == ("in_review", None)
    assert weights(find(world, "f7")) == {"disposable_domain": 5000}
    # The same device and a name that is alike: 1 - 0.40 x 0.70 = 0.72.
    world.member("jun", name="Kim Minji", visitor={"device": "D-1"})
    befriend(world, "f8", by="jun", name="M. Kim", visitor={"device": "D-1"})
    assert (find(world, "f8")["score_bp"]) == 7200


def test_rings_are_reviewed(make_world: Make) -> None:
    world = shop(make_world)
    befriend(world, "bo", by="mina")
    befriend(world, "cy", by="bo")
    # Two who bring each other are refused; three are looked at.
    assert told_state(befriend(world, "bo", by="cy"))[0] == "identified"
    assert told_state(befriend(world, "mina", by="bo")) == ("rejected", "MUTUAL_REFERRAL")
    assert told_state(befriend(world, "mina", by="cy")) == ("identified", None)
    mina = find(world, "mina")
    assert weights(mina) == {"ring": 5000}
    assert mina["signals"][0]["detail"]["people"] == 3
    world.set_clock(NOON)
    for ref in ("mina", "bo", "cy"):
        assert told_state(buy(world, ref, at=NOON)) == ("in_review", None)
        assert weights(find(world, ref)) == {"ring": 5000}
    assert [world.balance(ref) for ref in ("mina", "bo", "cy")] == [100, 100, 100]


def stored(world: World) -> list[tuple[str, int, str]]:
    """Kind, epoch and member of every trace."""
    names = {world.get(f"/members/{ref}")["id"]: ref for ref in ("mina", "nia", "noa")}
    with world.app.app_context():
        rows = db.reading(
            lambda connection: connection.execute(
                sa.select(traces.TRACES.c.kind, traces.TRACES.c.epoch, traces.TRACES.c.member_id)
                .where(traces.TRACES.c.program_id == ids.read_id("prg", world.program_id))
                .order_by(traces.TRACES.c.epoch, traces.TRACES.c.member_id)
            ).all()
        )
    return [(kind, epoch, names[ids.show_id("mem", bytes(of))]) for kind, epoch, of in rows]


def test_traces_rotate_and_expire(make_world: Make) -> None:
    world = shop(make_world)
    world.member("nia")
    world.member("noa")
    first = traces.epoch_of(clock.parse_instant(START))
    world.put("/members/mina", {"visitor": {"device": "D-1"}})
    # A hundred days later keys have changed: under the new one alone hers and his look different,
    # so his is kept under hers as well.
    world.set_clock("2026-04-11T00:00:00Z")
    befriend(world, "nia", visitor={"device": "D-1"})
    assert stored(world) == [
        ("device", first, "mina"),
        ("device", first, "nia"),
        ("device", first + 1, "nia"),
    ]
    assert weights(find(world, "nia")) == {"device": 6000}
    # SECRET_KEY changes, the one before still compares.
    settings = world.app.extensions["dangol.settings"]
    world.app.extensions["dangol.settings"] = dataclasses.replace(
        settings, secret_key="n" * 40, secret_key_fallbacks=(settings.secret_key,)
    )
    try:
        befriend(world, "noa", visitor={"device": "D-1"})
    finally:
        world.app.extensions["dangol.settings"] = settings
    assert weights(find(world, "noa")) == {"device": 6000}
    # 180 days after she was seen with it, it is held against nobody, and soon gone.
    world.set_clock("2026-06-30T00:00:00Z")
    befriend(world, "ned", visitor={"device": "D-1"})
    assert find(world, "ned")["signals"] == []
    with world.app.app_context():
        gone = traces.forget_old(clock.system_now())
    assert gone >= 1
    world.member("ned")
    assert "mina" not in {of for _, _, of in stored_of(world)}


def stored_of(world: World) -> list[tuple[str, int, str]]:
    """The traces that are left of Mina, and how many there are in all."""
    mina = ids.read_id("mem", world.get("/members/mina")["id"])
    with world.app.app_context():
        rows = db.reading(
            lambda connection: connection.execute(
                sa.select(traces.TRACES.c.kind, traces.TRACES.c.epoch).where(
                    traces.TRACES.c.member_id == mina
                )
            ).all()
        )
    return [(kind, epoch, "mina") for kind, epoch in rows]


def test_nothing_is_kept_in_clear_and_the_log_is_for_ever(make_world: Make) -> None:
    seen: dict[str, Any] = {
        "ip": "198.51.100.23",
        "user_agent": "Mozilla/5.0 (Windows NT 10.0) SecretBrowser/9 Chrome/1 Safari/1",
        "device": "device-secret-77",
        "payment_fingerprint": "fingerprint-secret",
        "address": "12 Rose Street",
    }
    plain = make_world()
    plain.member("mina", visitor=seen)
    assert checking.rows(plain)["traces"] == []
    world = shop(make_world)
    world.member("mina", visitor=seen, email="minji@secret.example", name="Kim Minji")
    told = befriend(world, "nia", visitor=seen, email="nia@secret.example", name="Park Nia")
    assert told_state(told) == ("rejected", "SELF_REFERRAL")
    befriend(world, "noa", visitor=NEXT_DOOR)
    world.set_clock(NOON)
    buy(world, "noa", at=NOON, visitor=seen, contact={"email": "noa@secret.example"})
    rows = checking.rows(world)
    assert {one[1] for one in rows["traces"]} == set(traces.KINDS.values())
    values = [*seen.values(), "198.51.100", "chrome/windows", "12rosest"]
    for name, found in rows.items():
        text = repr(found).lower()
        assert [one for one in values if one.lower() in text] == [], name
        if name not in ("members", "idempotency_keys", "consents"):
            assert "secret.example" not in text and "minji" not in text, name
    for statement in (sa.update(TRANSITIONS).values(cause="chance"), sa.delete(TRANSITIONS)):
        with world.app.app_context(), pytest.raises(Exception, match="append-only"):
            db.in_transaction(functools.partial(_run, statement=statement))
    assert state(find(world, "noa"))[0] in ("in_review", "rejected")


def _run(connection: sa.Connection, *, statement: sa.Executable) -> None:
    connection.execute(statement)
