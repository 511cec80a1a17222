"""Attribution at signup: which evidence decides, which windows hold, who is new, who is refused."""

from typing import Any

import sqlalchemy as sa

from tests.scenarios.attributing import (
    Make,
    advocate,
    candidates,
    click,
    code_of,
    kept,
    offer,
    problems,
    shop,
    sign_up,
    state,
)
from tests.world import World


def messy(code: str) -> str:
    """The code as somebody types it: small letters, a dash, O for 0 and l for 1."""
    text = code.lower().replace("0", "O").replace("1", "l")
    return f" {text[:4]}-{text[4:]} "


def count(world: World) -> int:
    """How many referrals the program has."""
    from core import db, ids
    from referrals.carried import REFERRALS

    statement = (
        sa.select(sa.func.count())
        .select_from(REFERRALS)
        .where(REFERRALS.c.program_id == ids.read_id("prg", world.program_id))
    )
    with world.app.app_context():
        found: int = db.reading(lambda connection: connection.execute(statement).scalar_one())
    return found


def test_a_typed_code_decides_and_the_friend_is_bound_once(make_world: Make) -> None:
    # SEMANTICS F39: clicks by Mina (day 0) and Jun (day 5), Mina's code typed on day 6.
    world = shop(make_world)
    device = {"visitor": {"device": "d-1"}}
    world.set_clock("2026-01-10T00:00:00Z")
    click(world, "mina", "2026-01-01T00:00:00Z", channel="kakao", **device)
    token = click(world, "jun", "2026-01-06T00:00:00Z", **device)
    world.set_clock("2026-01-11T00:00:00Z")
    told = {"code": messy(code_of(world, "mina")), "token": token}
    answer = sign_up(world, "ines", told, joined_at="2026-01-07T00:00:00Z")
    assert state(answer) == ("identified", None)
    assert answer["problems"] == []
    assert candidates(world, answer) == [
        ("code", "mina", None),
        ("token", "jun", "outranked by code"),
        ("token", "mina", "outranked by code"),
    ]
    row = kept(world, answer)
    assert (bool(row["is_bound"]), row["method"], row["clicked_at"]) == (True, "code", None)
    # Event time, not the time of telling.
    assert row["evidence"]["at"] == "2026-01-07T00:00:00Z"
    assert row["evidence"]["candidates"][2]["channel"] == "kakao"
    assert "d-1" not in str(row)
    # The same again, with and without evidence: the same answer.
    again = sign_up(world, "ines", told, joined_at="2026-01-07T00:00:00Z")
    assert (again["referral"], again["problems"]) == (answer["referral"], [])
    assert sign_up(world, "ines")["referral"] == answer["referral"]
    # F40: bound to Mina, a click on Jun's link changes nothing, and says so.
    later = sign_up(world, "ines", {"token": click(world, "jun")})
    assert later["referral"] == answer["referral"]
    assert problems(later) == [("ALREADY_REFERRED", "/referral/token")]
    assert kept(world, later) == row
    # Nor does a code that nobody has: what is bound stays.
    unknown = sign_up(world, "ines", {"code": "ZZZZ-9999"})
    assert unknown["referral"] == answer["referral"]
    assert problems(unknown) == [("NOT_FOUND", "/referral/code")]


def test_the_last_click_wins_or_the_first_where_the_offer_says_so(make_world: Make) -> None:
    for attribution, winner, why in (
        ("last_touch", "jun", "earlier click"),
        ("first_touch", "mina", "later click"),
    ):
        world = shop(make_world, offer(attribution=attribution))
        world.set_clock("2026-01-10T00:00:00Z")
        for number, others in enumerate(({}, {"visitor": {"device": "d-1"}})):
            device = {"visitor": {"device": f"d-{number}"}}
            click(world, "mina", "2026-01-02T00:00:00Z", **device)
            token = click(world, "jun", "2026-01-03T00:00:00Z", **device)
            # By the token, and by the device alone, whose clicks are found.
            told = None if others else {"token": token}
            answer = sign_up(world, f"ines-{number}", told, **others)
            loser = ({"mina", "jun"} - {winner}).pop()
            assert candidates(world, answer) == [("token", winner, None), ("token", loser, why)]
            assert answer["problems"] == []


def test_windows_hold_on_event_time_and_later_evidence_may_still_bind(make_world: Make) -> None:
    # SEMANTICS F41: 30 days from 2026-01-01T00:00:00Z, told in March.
    world = shop(make_world)
    token = click(world, "mina", "2026-01-01T00:00:00Z")
    world.set_clock("2026-03-01T00:00:00Z")
    within = sign_up(world, "ines", {"token": token}, joined_at="2026-01-30T23:59:59Z")
    assert state(within) == ("identified", None)
    over = sign_up(world, "dora", {"token": token}, joined_at="2026-01-31T00:00:00Z")
    assert state(over) == ("rejected", "CLICK_WINDOW")
    assert problems(over) == [("CLICK_WINDOW", "/referral/token")]
    row = kept(world, over)
    assert not row["is_bound"] and candidates(world, over) == [("token", "mina", "CLICK_WINDOW")]
    # Told again: the same, nothing is logged twice.
    again = sign_up(world, "dora", {"token": token}, joined_at="2026-01-31T00:00:00Z")
    assert (again["referral"], kept(world, again)) == (over["referral"], row)
    assert log(world, over) == [(None, "rejected", "CLICK_WINDOW")]
    # Later evidence that counts binds her: the same row, and the log says how it came about.
    bound = sign_up(world, "dora", {"token": click(world, "jun")})
    assert bound["referral"]["id"] == over["referral"]["id"]
    assert (state(bound), advocate(world, bound)) == (("identified", None), "jun")
    assert log(world, over) == [
        (None, "rejected", "CLICK_WINDOW"),
        ("rejected", "identified", None),
    ]
    # A member who was there before: what was clicked before they joined is of their signup.
    world.member("olga", joined_at="2026-01-20T00:00:00Z")
    assert state(sign_up(world, "olga", {"token": token})) == ("identified", None)


def log(world: World, answer: Any) -> list[tuple[str | None, str, str | None]]:
    """The log of an answer's referral as a whole."""
    from core import db, ids
    from referrals import referrals

    program_id = ids.read_id("prg", world.program_id)
    referral_id = ids.read_id("ref", answer["referral"]["id"])
    assert program_id is not None and referral_id is not None
    with world.app.app_context():
        lines = db.reading(
            lambda connection: referrals.list_transitions(connection, program_id, referral_id)
        )
    return [(one["from_state"], one["to_state"], one["reason"]) for one in lines]


def test_who_bought_before_is_brought_by_nobody(make_world: Make) -> None:
    # SEMANTICS F42; the offer looks back 180 days: from 2 July to 29 December.
    world = shop(make_world, offer(new_member={"lookback": "P180D"}), at="2026-12-29T00:00:00Z")
    token = click(world, "mina", "2026-12-29T00:00:00Z")
    world.set_clock("2026-12-30T00:00:00Z")

    def brought(ref: str, told: Any = None, **fields: Any) -> tuple[str, str | None]:
        return state(sign_up(world, ref, told or {"token": token}, **fields))

    old = {"phone": "+82 10-1234-5678", "email": "Min.Ji+shop@gmail.com"}
    world.member("old", **old)
    assert brought("n-0", phone="+821012345678") == ("identified", None)
    world.order("O-1", 1000, member_ref="old", placed_at="2026-07-02T00:00:01Z")
    # Another member of the same telephone or mailbox, in another spelling, is the same person.
    assert brought("n-1", phone="+82 (0)10 1234 5678") == ("rejected", "EXISTING_CUSTOMER")
    assert brought("n-2", email="minji@googlemail.com") == ("rejected", "EXISTING_CUSTOMER")
    assert brought("old") == ("rejected", "EXISTING_CUSTOMER")
    assert brought("n-3", email="min.ji@naver.com") == ("identified", None)
    # 180 days are over at the very instant: 2 July is 180 days before 29 December.
    world.member("once", email="once@example.com")
    world.order("O-2", 1000, member_ref="once", placed_at="2026-07-02T00:00:00Z")
    assert brought("once") == ("identified", None)
    # Wholly refunded before the click: it does not count; after it, it does.
    for ref, refunded_at, expected in (
        ("back", "2026-12-28T00:00:00Z", ("identified", None)),
        ("late", "2026-12-29T12:00:00Z", ("rejected", "EXISTING_CUSTOMER")),
    ):
        world.member(ref)
        world.order(f"R-{ref}", 1000, member_ref=ref, placed_at="2026-12-20T00:00:00Z")
        refund = {"refunded_at": refunded_at, "amount_minor": 1000}
        world.put(f"/orders/R-{ref}/refunds/1", refund)
        assert brought(ref) == expected
    # What was bought since the click is no reason; before a code is typed, it is.
    world.member("soon")
    world.order("S-1", 1000, member_ref="soon", placed_at="2026-12-29T10:00:00Z")
    code = {"code": code_of(world, "mina")}
    assert brought("soon", code) == ("rejected", "EXISTING_CUSTOMER")
    assert brought("soon") != ("rejected", "EXISTING_CUSTOMER")
    # History counts, and a person is brought once under whatever reference.
    world.member("past")
    world.order("H-1", 1000, member_ref="past", placed_at="2026-12-01T00:00:00Z", is_history=True)
    assert brought("past") == ("rejected", "EXISTING_CUSTOMER")
    assert brought("n-4", email="min.ji@naver.com") == ("rejected", "ALREADY_REFERRED")
    # Erasing oneself makes nobody new.
    world.member("gone", email="gone@example.com")
    assert world.call("DELETE", "/members/gone").status_code == 200
    assert brought("gone-2", email="gone@example.com") == ("rejected", "EXISTING_CUSTOMER")


def test_the_offer_is_pinned_at_the_click_and_a_typed_code_takes_the_live_one(
    make_world: Make,
) -> None:
    # SEMANTICS F48: clicked under 5,000, changed to 3,000.
    def worth(points: int) -> dict[str, Any]:
        return offer(advocate=[{"do": "add_points", "points": points}])

    world = shop(make_world, worth(5000))
    token = click(world, "mina")
    world.publish(referral_offers=[worth(3000)])
    world.set_clock("2026-01-03T00:00:00Z")
    clicked = sign_up(world, "ines", {"token": token})
    typed = sign_up(world, "dora", {"code": code_of(world, "mina")})
    assert [kept(world, one)["version"] for one in (clicked, typed)] == [1, 2]
    # Paused: codes are refused, what was clicked before counts.
    switch = {"section": "referral_offers", "key": "friends", "state": "paused", "reason": "x"}
    world.post("/switches", switch)
    code = {"code": code_of_stored(world, "mina")}
    assert state(sign_up(world, "eva", code)) == ("rejected", "OFFER_CLOSED")
    assert state(sign_up(world, "eva", {"token": token})) == ("identified", None)
    for ref, minor in (("ines", 1000), ("dora", 1000)):
        world.order(f"P-{ref}", minor, member_ref=ref, placed_at="2026-01-03T00:00:00Z")
    assert world.balance("mina") == 8000


def code_of_stored(world: World, member_ref: str) -> str:
    """The member's code, also where the offer gives out none now."""
    code: str = world.get(f"/members/{member_ref}/links")["data"][0]["code"]
    return code


def test_evidence_that_leads_to_nobody_makes_no_referral(make_world: Make) -> None:
    world, foreign = shop(make_world), shop(make_world)
    expired = click(world, "mina", "2025-01-01T00:00:00Z")
    for told, reason, pointer in (
        ({"code": "ZZZZ9999"}, "NOT_FOUND", "/referral/code"),
        ({"code": code_of(foreign, "mina")}, "NOT_FOUND", "/referral/code"),
        ({"token": "no.token"}, "UNKNOWN_TOKEN", "/referral/token"),
        ({"token": click(foreign, "mina")}, "UNKNOWN_TOKEN", "/referral/token"),
        ({"token": click(world, "mina")[:-2] + "xx"}, "UNKNOWN_TOKEN", "/referral/token"),
        ({"token": expired}, "EXPIRED_TOKEN", "/referral/token"),
    ):
        world.set_clock("2026-01-05T00:00:00Z")
        answer = sign_up(world, "ines", told)
        assert answer["referral"]["state"] == "rejected"
        assert answer["referral"]["reason"] == reason
        assert set(answer["referral"]) == {"state", "reason", "message"}
        assert problems(answer) == [(reason, pointer)]
    assert count(world) == 0
    # A token that leads nowhere beside a code that does: bound, and the problem is told.
    both = sign_up(world, "ines", {"code": code_of(world, "jun"), "token": expired})
    assert (state(both), advocate(world, both)) == (("identified", None), "jun")
    assert problems(both) == [("EXPIRED_TOKEN", "/referral/token")]
    # An advocate who was erased is nobody.
    code, token = code_of(world, "mina"), click(world, "mina")
    assert world.call("DELETE", "/members/mina").status_code == 200
    for told in ({"code": code}, {"token": token}):
        answer = sign_up(world, "dora", told)
        assert (state(answer), "id" in answer["referral"]) == (("rejected", "NOT_FOUND"), False)
    # Without offers nobody is looked for, and the member is stored.
    bare = make_world()
    answer = sign_up(bare, "ines", {"code": "ABCD2345"})
    assert (state(answer), problems(answer)) == (
        ("rejected", "NOT_FOUND"),
        [("NOT_FOUND", "/referral/code")],
    )


def test_who_may_not_bring_the_friend_is_named_and_the_next_one_wins(make_world: Make) -> None:
    world = shop(make_world)
    own = sign_up(world, "mina", {"code": code_of(world, "mina")})
    assert state(own) == ("rejected", "SELF_REFERRAL")
    assert own["referral"]["message"]["en"] == "This invitation could not be applied."
    # Mina's own link beside Jun's: hers is passed over.
    device: dict[str, Any] = {"visitor": {"device": "d-1"}}
    click(world, "jun", **device)
    token = click(world, "mina", **device)
    brought = sign_up(world, "mina", {"token": token})
    assert state(brought) == ("identified", None)
    assert candidates(world, brought) == [
        ("token", "jun", None),
        ("token", "mina", "SELF_REFERRAL"),
    ]
    # Jun brought Mina, so Mina does not bring Jun.
    mutual = sign_up(world, "jun", {"code": code_of(world, "mina")})
    assert state(mutual) == ("rejected", "MUTUAL_REFERRAL")
    # Blocked by a reviewer: Mina's links attribute nothing any more.
    block(world, "mina", brought["referral"]["id"])
    world.member("ines")
    blocked = sign_up(world, "ines", {"token": token})
    assert (state(blocked), advocate(world, blocked)) == (("identified", None), "jun")
    assert candidates(world, blocked)[1] == ("token", "mina", "BLOCKED")
    # Offers for a level are closed to links of others.
    levels = {"levels": [{"key": "gold", "enter_at": 100_000}]}
    world.publish(referral_offers=[offer("friends", tiers=["gold"])], tiers=levels)
    world.order("J-1", 100_000, member_ref="jun", placed_at="2026-01-01T00:00:00Z")
    gold = sign_up(world, "olga", {"code": code_of(world, "jun")})
    assert (state(gold), advocate(world, gold)) == (("identified", None), "jun")
    assert count(world) == 4


def block(world: World, member_ref: str, referral_id: str) -> None:
    """Block a member as a reviewer does."""
    from core import db, ids
    from referrals.models import ReferralBlock

    values = {
        "program_id": ids.read_id("prg", world.program_id),
        "member_id": ids.read_id("mem", world.get(f"/members/{member_ref}")["id"]),
        "referral_id": ids.read_id("ref", referral_id),
        "created_at": 0,
    }
    with world.app.app_context():
        db.in_transaction(
            lambda connection: connection.execute(sa.insert(ReferralBlock).values(**values))
        )
