"""Attribution by orders, of guests, and of evidence that is told after what it led to."""

from typing import Any

from tests.concurrency.parallel import assert_sound
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
from tests.scenarios.granting import COUPON
from tests.world import World, order

FIRST = "2026-01-05T10:00:00Z"


def placed(world: World, ref: str, member_ref: str | None, at: str = FIRST, **more: Any) -> Any:
    """An order of 100.00 with whatever comes with it."""
    told = order(10_000, member_ref=member_ref, placed_at=at, **more)
    return world.put(f"/orders/{ref}", told)


def paid(world: World, *refs: str) -> list[int]:
    """Balances without the point for each 1.00 that the orders of this file earn."""
    return [world.balance(ref) for ref in refs]


def test_a_code_told_with_an_order_binds_by_it(make_world: Make) -> None:
    world = shop(make_world)
    code = code_of(world, "mina")
    world.set_clock("2026-01-20T00:00:00Z")
    for ref in ("ines", "dora", "eva", "olga"):
        world.member(ref, joined_at="2026-01-04T00:00:00Z")
    answer = placed(world, "A-1", "ines", referral={"code": code})
    assert (answer["referral"]["state"], problems(answer)) == ("approved", [])
    row = kept(world, answer)
    assert row["evidence"]["at"] == FIRST and row["order_ref"] == "A-1"
    # 500 for Mina; 300 for Ines, and 100 points for the order itself.
    assert paid(world, "mina", "ines") == [500, 400]
    # Told again, and with Jun's code: once is once.
    assert (
        placed(world, "A-1", "ines", referral={"code": code})["referral"]["id"]
        == (answer["referral"]["id"])
    )
    again = placed(world, "A-2", "ines", referral={"code": code_of(world, "jun")})
    assert problems(again) == [("ALREADY_REFERRED", "/referral/code")]
    assert paid(world, "mina", "ines", "jun") == [500, 500, 0]
    # Among the codes of an order, ours counts and the storefront's own are no problem.
    typed = placed(world, "B-1", "dora", codes=["SPRING", f" {code.lower()}"])
    assert (typed["referral"]["state"], advocate(world, typed), problems(typed)) == (
        *("approved", "mina"),
        [],
    )
    assert kept(world, typed)["method"] == "code"
    # An order without evidence brings nobody anything; evidence that leads nowhere no referral.
    assert placed(world, "C-1", "eva", codes=["SPRING"])["referral"] is None
    wrong = placed(world, "D-1", "olga", referral={"code": "ZZZZ9999"})
    assert (state(wrong), problems(wrong)) == (
        ("rejected", "NOT_FOUND"),
        [("NOT_FOUND", "/referral/code")],
    )
    assert paid(world, "mina") == [1000]
    assert_sound(world)


def test_evidence_told_after_the_order_counts_by_event_time(make_world: Make) -> None:
    world = shop(make_world)
    token = click(world, "mina", "2026-01-01T00:00:00Z")
    world.set_clock("2026-04-01T00:00:00Z")
    code = code_of(world, "mina")
    for ref in ("ines", "dora", "eva", "olga", "nora"):
        world.member(ref, joined_at="2026-01-04T00:00:00Z")
        placed(world, f"{ref}-1", ref)
    # The order again, now with the token or the code: by its own instant.
    assert placed(world, "ines-1", "ines", referral={"token": token})["referral"]["state"] == (
        "approved"
    )
    assert placed(world, "dora-1", "dora", referral={"code": code})["referral"]["state"] == (
        "approved"
    )
    # With the member: the click was of the signup, before the order.
    late = sign_up(world, "eva", {"token": token})
    assert (late["referral"]["state"], kept(world, late)["order_ref"]) == ("approved", "eva-1")
    # A code typed now is after the order.
    assert state(sign_up(world, "olga", {"code": code})) == ("rejected", "EXISTING_CUSTOMER")
    assert paid(world, "mina", "ines", "dora", "eva", "olga") == [1500, 400, 400, 400, 100]
    # A click after the order that tells of it is no reason for it.
    world.member("lena", joined_at="2026-01-04T00:00:00Z")
    after = click(world, "mina", "2026-01-06T00:00:00Z")
    told = placed(world, "lena-1", "lena", referral={"token": after})
    assert state(told) == ("rejected", "EXISTING_CUSTOMER")
    # F41 by the order's instant, told in April.
    world.member("rosa", joined_at="2025-12-01T00:00:00Z")
    over = placed(world, "r-2", "rosa", "2026-01-31T00:00:00Z", referral={"token": token})
    assert state(over) == ("rejected", "CLICK_WINDOW")
    within = placed(world, "r-1", "rosa", "2026-01-30T23:59:59Z", referral={"token": token})
    assert within["referral"]["id"] == over["referral"]["id"]
    assert kept(world, within)["order_ref"] == "r-1"
    assert_sound(world)


def test_what_a_guest_left_is_found_by_the_order_and_by_the_contact(make_world: Make) -> None:
    world = shop(make_world, at="2026-01-10T00:00:00Z")
    token = click(world, "mina", "2026-01-02T00:00:00Z")
    guest = placed(
        world,
        "G-1",
        None,
        referral={"token": token},
        contact={"email": "Ines.K+shop@gmail.com", "phone": "010-1234-5678"},
    )
    assert (guest["referral"], guest["problems"]) == (None, [])
    bad = placed(world, "G-2", None, referral={"token": "x"})
    assert problems(bad) == [("UNKNOWN_TOKEN", "/referral/token")]
    # Somebody else's claim of the order brings its evidence by its own method.
    world.member("dora", joined_at="2026-01-09T00:00:00Z")
    claimed = world.post("/claims", {"token": guest["claim_token"], "member_ref": "dora"})
    assert claimed["referral"]["state"] == "approved"
    assert candidates(world, claimed) == [("token", "mina", None)]
    assert paid(world, "mina", "dora") == [500, 400]
    # Whoever signs up with the guest's mailbox is known by it, and had bought since the click.
    ines = sign_up(world, "ines", email="inesk@googlemail.com")
    assert candidates(world, ines) == [("contact", "mina", None)]
    assert state(ines) == ("identified", None)
    assert ines["problems"] == []
    # Of a click after that order it is too late: the guest had bought, by telephone the same.
    later = click(world, "jun", "2026-01-08T00:00:00Z")
    placed(world, "G-3", None, "2026-01-05T12:00:00Z", contact={"phone": "+82 10 9999 8888"})
    old = sign_up(world, "rosa", {"token": later}, phone="+82-10-9999-8888")
    assert state(old) == ("rejected", "EXISTING_CUSTOMER")
    # A later PUT with the member does as a claim; the code the guest typed counts.
    placed(world, "G-4", None, referral={"code": code_of(world, "jun")})
    world.member("lena", joined_at="2026-01-09T00:00:00Z")
    theirs = placed(world, "G-4", "lena")
    assert candidates(world, theirs) == [("code", "jun", None)]
    assert theirs["referral"]["state"] == "approved"
    # The contact of an order finds what a guest left, too.
    code = code_of(world, "jun")
    placed(world, "G-5", None, referral={"code": code}, contact={"email": "nora@example.com"})
    world.put("/orders/G-5", order(10_000, member_ref=None, placed_at=FIRST, status="cancelled"))
    world.member("nora", joined_at="2026-01-09T00:00:00Z")
    contact = {"email": "Nora@Example.com"}
    found = placed(world, "N-1", "nora", "2026-01-09T10:00:00Z", contact=contact)
    assert candidates(world, found) == [("contact", "jun", None)]
    assert_sound(world)


def test_a_voucher_that_a_friend_was_rewarded_with_leads_to_the_advocate(make_world: Make) -> None:
    coupon = {"do": "grant_reward", "reward": "coupon"}
    world = make_world(
        referral_offers=[offer(friend=[coupon], friend_at="signup")], rewards=[COUPON]
    )
    world.set_clock("2026-01-05T00:00:00Z")
    world.member("mina")
    world.member("jun")
    ines = sign_up(world, "ines", {"token": click(world, "mina", "2026-01-04T00:00:00Z")})
    [granted] = ines["grants"]
    voucher = granted["voucher"]["code"]
    assert state(ines) == ("identified", None)
    # Dora got the code from Ines: she cannot use it, and Mina brought her.
    world.member("dora", joined_at="2026-01-05T00:00:00Z")
    device = {"visitor": {"device": "d-1"}}
    click(world, "jun", "2026-01-04T00:00:00Z", **device)
    dora = placed(world, "D-1", "dora", "2026-01-05T00:00:00Z", codes=[voucher], **device)
    assert candidates(world, dora) == [
        ("voucher", "mina", None),
        ("token", "jun", "outranked by voucher"),
    ]
    assert problems(dora) == [("not_found", "/codes/0")]
    # Ines uses her own: she is Mina's already.
    own = placed(world, "I-1", "ines", "2026-01-05T00:00:00Z", codes=[voucher])
    assert (own["referral"]["id"], problems(own)) == (ines["referral"]["id"], [])
    assert world.balance("mina") == 1000


def test_what_was_bought_before_is_seen_however_late_it_is_told(make_world: Make) -> None:
    from core import db, ids
    from programs import versions
    from referrals import referrals
    from storefront.plan import begin
    from storefront.referring.attribution import newcomers

    world = shop(make_world, offer(hold="P14D"), at="2026-01-10T00:00:00Z")
    token = click(world, "mina", "2026-01-04T00:00:00Z")
    phone = "010-1111-2222"
    bound = sign_up(world, "ines", {"token": token}, phone=phone)
    placed(world, "I-1", "ines")
    program_id = ids.read_id("prg", world.program_id)
    referral_id = ids.read_id("ref", bound["referral"]["id"])
    assert program_id is not None and referral_id is not None

    def has_bought(without: str | None = None) -> bool:
        def ask(connection: Any) -> bool:
            live, now = versions.get_live(connection, program_id)
            plan = begin(connection, live, now=now)
            referral = referrals.find(plan, referral_id)
            assert referral is not None
            return newcomers.has_bought_before(connection, plan, referral, without=without)

        with world.app.app_context():
            return db.reading(ask)

    # Her own order came after the click; then a guest's of before is told, by her telephone.
    assert not has_bought()
    placed(world, "G-0", None, "2026-01-03T00:00:00Z", contact={"phone": "010 1111 2222"})
    assert has_bought()
    assert not has_bought(without="G-0")


def test_history_is_brought_by_nobody(make_world: Make) -> None:
    world = shop(make_world)
    code = {"code": code_of(world, "mina")}
    moved = {"member_ref": "past", "is_history": True, "referral": code}
    new = {"member_ref": "ines", "referral": code}
    first, second = world.post("/members/batch", {"members": [moved, new]})["results"]
    assert first["referral"] is None
    assert problems(first) == [("history_without_referral", "/referral")]
    assert (state(second), advocate(world, second)) == (("identified", None), "mina")
    world.set_clock("2026-01-10T00:00:00Z")
    told = placed(world, "H-1", "past", is_history=True, referral=code)
    assert told["referral"] is None
    # An order of this batch counts from now on, and history says that somebody is not new.
    assert state(placed(world, "P-1", "past", "2026-01-06T00:00:00Z", referral=code)) == (
        *("rejected", "EXISTING_CUSTOMER"),
    )
    together = [
        order(10_000, member_ref=ref, placed_at=FIRST, referral=told) | {"order_ref": f"B-{ref}"}
        for ref, told in (("ines", None), ("jun", code), ("mina", code))
    ]
    results = world.post("/orders/batch", {"orders": together})["results"]
    assert [one["referral"]["state"] for one in results] == ["approved", "approved", "rejected"]
    assert results[2]["referral"]["reason"] == "SELF_REFERRAL"


def test_another_joined_at_makes_no_new_member_of_a_known_one(make_world: Make) -> None:
    told: dict[str, Any] = {"members": {"auto_enrol": True}, "earning": {"rules": []}}
    world = make_world(referral_offers=[offer()], **told)
    world.set_clock("2026-03-01T00:00:00Z")
    world.member("mina")
    code = {"code": code_of(world, "mina")}
    # Known since January, bought in February: a code typed in March is of March, whatever is said.
    world.member("ines", joined_at="2026-01-01T00:00:00Z")
    placed(world, "I-1", "ines", "2026-02-01T00:00:00Z")
    refused = ("rejected", "EXISTING_CUSTOMER")
    for joined_at in ("2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", "2026-02-01T00:00:00Z"):
        assert state(sign_up(world, "ines", code, joined_at=joined_at)) == refused
    # An order enrolled Dora; the first word of herself is of when she joined, and only that.
    placed(world, "D-1", "dora", "2026-02-01T00:00:00Z")
    dora = sign_up(world, "dora", code, joined_at="2026-01-31T00:00:00Z")
    assert (state(dora), kept(world, dora)["order_ref"]) == (("approved", None), "D-1")
    # Eva joined with her order, and Olga after it; Nora was told of before.
    for ref in ("eva", "olga", "nora"):
        placed(world, f"{ref}-1", ref, "2026-02-01T00:00:00Z")
    eva = sign_up(world, "eva", code, joined_at="2026-02-01T00:00:00Z")
    assert state(eva) == ("approved", None)
    assert state(sign_up(world, "olga", code, joined_at="2026-02-02T00:00:00Z")) == refused
    sign_up(world, "nora", name="Nora")
    assert state(sign_up(world, "nora", code, joined_at="2026-01-31T00:00:00Z")) == refused
    # Moved in from elsewhere, which is a word of them as well.
    placed(world, "rosa-1", "rosa", "2026-02-01T00:00:00Z")
    world.post("/members/batch", {"members": [{"member_ref": "rosa", "is_history": True}]})
    assert state(sign_up(world, "rosa", code, joined_at="2026-01-31T00:00:00Z")) == refused
    assert (world.balance("mina"), world.balance("ines")) == (1000, 0)
    assert_sound(world)


def test_a_refused_referral_is_passed_on_whole_or_not_at_all(make_world: Make) -> None:
    review = {"review_at_bp": 2000, "block_at_bp": 2500, "weights": {"name": 3000}}
    second = [{"do": "add_points", "points": 100}]
    world = make_world(
        earning={"rules": []}, referral_offers=[offer(review=review, second_level=second)]
    )
    world.set_clock("2026-01-04T00:00:00Z")
    for ref, name in (("jun", "Park Jun"), ("kim", "Lee Kim")):
        world.member(ref, name=name)
    sign_up(world, "mina", {"code": code_of(world, "kim")}, name="Kim Minji")
    refused = ("rejected", "SELF_REFERRAL")
    for ref in ("ines", "dora"):
        told = sign_up(world, ref, {"code": code_of(world, "mina")}, name="Kim Minji")
        assert state(told) == refused
        _decide(world, told, "approve")
    # Cleared and taken back before she bought: she may be another's, with all that it brings.
    _decide(world, told := sign_up(world, "ines"), "undo")
    assert state(sign_up(world, "ines")) == refused
    world.set_clock("2026-01-06T00:00:00Z")
    jun = {"code": code_of(world, "jun")}
    assert placed(world, "I-1", "ines", referral=jun)["referral"]["state"] == "approved"
    assert paid(world, "mina", "jun", "ines", "kim") == [0, 500, 300, 0]
    shown = world.get(f"/referrals/{told['referral']['id']}")
    assert [(one["side"], one["member_ref"], one["state"]) for one in shown["sides"]] == [
        ("advocate", "jun", "rewarded"),
        ("friend", "ines", "rewarded"),
        ("second", "kim", "lost"),
    ]
    # Paid for once, she stays refused: what was paid and taken back is in Mina's books.
    told = placed(world, "D-1", "dora")
    assert paid(world, "mina", "dora", "kim") == [500, 300, 100]
    _decide(world, told, "undo")
    placed(world, "D-1", "dora", status="cancelled")
    again = placed(world, "D-2", "dora", "2026-01-05T12:00:00Z", referral=jun)
    assert (state(again), problems(again)) == (refused, [("SELF_REFERRAL", "/referral/code")])
    assert paid(world, "mina", "jun", "dora", "kim") == [0, 500, 0, 0]
    assert_sound(world)


def _decide(world: World, told: Any, action: str) -> None:
    world.post(f"/referrals/{told['referral']['id']}/{action}", {"reason": "looked into"})
