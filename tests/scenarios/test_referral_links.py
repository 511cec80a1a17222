"""Links of members: made once, shown by codes of their own choice, shared, listed, refused."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa

from core import db, ids
from referrals import codes, links
from referrals.links import CODES, LINKS
from storefront.referring.links.linking import BLOCKS
from tests.concurrency.parallel import at_once
from tests.contract.checking import pointers, problem
from tests.world import World

MakeWorld = Callable[..., World]
HOST = "http://127.0.0.1:8000"
OFFER: dict[str, Any] = {"key": "friends", "landing_url": "https://bloom.example/hello"}


def play(make_world: MakeWorld, *offers: dict[str, Any], **changes: Any) -> World:
    """A program with offers, on 1 March 2026 at 19:00 in Seoul, with Mina and Jun."""
    world = make_world(referral_offers=list(offers) or [OFFER], **changes)
    world.set_clock("2026-03-01T10:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    return world


def refused(world: World, body: Any, status: int, code: str, *, ref: str = "mina") -> Any:
    """The problem with which a link is refused."""
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    return problem(world.call("POST", f"/members/{ref}/links", body, headers=headers), status, code)


def letters(many: int = 8) -> str:
    """A code of letters that no other test has chosen, which look like no others and make no
    word."""
    return "".join(secrets.choice("bdhjpqtxyz") for _ in range(many)) + "zq"


def picture(world: World, code: str) -> Any:
    return world.app.test_client().get(f"/r/{code}/qr.svg")


def test_a_link_is_made_once_and_counts_how_often_it_is_shared(make_world: MakeWorld) -> None:
    world = play(make_world, name="Bloom & Co")
    # Whoever takes no part may refer as well.
    world.member("guest", is_enrolled=False, locale="ko")
    body = {"channel": "kakao"}
    made = world.post("/members/guest/links", body, status=201, key="first")
    code, share = made["code"], made["share"]
    assert len(code) == 8 and (made["offer"], made["aliases"]) == ("friends", [])
    assert made["url"] == f"{HOST}/r/{code}?ch=kakao"
    assert share["text"] == (
        f"Bloom & Co에 초대합니다! 아래 링크로 가입하거나 구매해 보세요. {HOST}/r/{code}?ch=kakao"
    )
    assert share["copy"] == f"{HOST}/r/{code}?ch=copy"
    assert share["qr_svg_url"] == f"{HOST}/r/{code}/qr.svg"
    assert share["kakao"]["link"] == f"{HOST}/r/{code}?ch=kakao"
    assert share["kakao"]["title"] == "Bloom & Co 초대장"
    for name, start, field in (
        ("email", "mailto:?", "body"),
        ("sms", "sms:?", "body"),
        ("line", "https://line.me/R/share?", "text"),
        ("whatsapp", "https://wa.me/?", "text"),
        ("x", "https://x.com/intent/post?", "text"),
    ):
        assert share[name].startswith(start), name
        [said] = parse_qs(urlsplit(share[name]).query, strict_parsing=name != "sms")[field]
        assert said == made["share"]["text"].replace("ch=kakao", f"ch={name}"), name
    assert "subject=Bloom%20%26%20Co%20" in share["email"]
    # The same key is the same request; another one is the same link, shared once more.
    assert world.post("/members/guest/links", body, status=201, key="first") == made
    again = world.post("/members/guest/links", body)
    assert again == made
    assert world.post("/members/guest/links", {})["url"] == f"{HOST}/r/{code}"
    assert world.post("/members/jun/links", {}, status=201)["code"] != code
    [listed] = world.get("/members/guest/links")["data"]
    assert listed["counts"] == [
        {"channel": None, "shared": 1, "clicked": 0},
        {"channel": "kakao", "shared": 2, "clicked": 0},
    ]
    assert listed["is_open"] and listed["id"] == made["id"]
    refused(world, {"channel": "Kakao!"}, 422, "validation_failed")
    problem(world.call("POST", "/members/mina/links", {}), 400, "idempotency_key_missing")
    assert world.verify()["mismatches"] == []


def test_a_code_of_ones_own_is_shown_and_the_earlier_ones_stay(make_world: MakeWorld) -> None:
    world, elsewhere = play(make_world), play(make_world)
    first = world.post("/members/mina/links", {}, status=201)["code"]
    chosen = f"Mi{letters()}"
    made = world.post("/members/mina/links", {"vanity": chosen})
    assert (made["code"], made["aliases"]) == (chosen, [first])
    assert made["url"] == f"{HOST}/r/{chosen}"
    hangul = "단골" + "".join(secrets.choice("가나다라마바사아자차카타파하") for _ in range(9))
    made = world.post("/members/mina/links", {"vanity": hangul})
    assert (made["code"], set(made["aliases"])) == (hangul, {first, chosen})
    assert unquote(urlsplit(made["url"]).path) == f"/r/{hangul}" and made["url"].isascii()
    # Any of them again, in whatever spelling: the same link, shown as it is written now.
    made = world.post("/members/mina/links", {"vanity": chosen.upper()})
    assert (made["code"], set(made["aliases"])) == (chosen.upper(), {first, hangul})
    assert made["id"] == world.get("/members/mina/links")["data"][0]["id"]
    # Nobody else gets one of them, nor one that looks like it, here or in another program.
    for code in (first, chosen, hangul):
        for text in (code, code.swapcase()):
            told = refused(world, {"vanity": text}, 409, "already_exists", ref="jun")
            assert "mina" not in str(told)
            refused(elsewhere, {"vanity": text}, 409, "already_exists")
    look = f"oil{letters()}"
    world.post("/members/jun/links", {"vanity": look}, status=201)
    for text in (f"0il{look[3:]}", f"O1L{look[3:]}", f"oi1{look[3:]}".upper()):
        refused(elsewhere, {"vanity": text}, 409, "already_exists")
    # What was refused left nothing behind: not even the link it was asked for with.
    assert elsewhere.get("/members/mina/links")["data"] == []
    for text, because in (("admin", "may not be used"), ("mіna", "A to Z"), ("ab", "3 to 20")):
        told = refused(world, {"vanity": text}, 422, "validation_failed")
        assert pointers(told) == ["/vanity"] and because in told["detail"]


def test_so_many_codes_are_chosen_for_a_link_and_no_more(make_world: MakeWorld) -> None:
    world = play(make_world)
    chosen = [letters() for _ in range(10)]
    world.post("/members/mina/links", {"vanity": chosen[0]}, status=201)
    for one in chosen[1:]:
        world.post("/members/mina/links", {"vanity": one})
    assert refused(world, {"vanity": letters()}, 409, "state_conflict")["state"] == "vanity_limit"
    assert world.post("/members/mina/links", {"vanity": chosen[3]})["code"] == chosen[3]


def test_an_offer_that_cannot_be_shared_gives_no_link(make_world: MakeWorld) -> None:
    over = {"schedule": {"ends_at": "2026-03-01T10:00:00Z"}}
    later = {"schedule": {"starts_at": "2026-04-01T00:00:00Z"}}
    world = play(
        make_world,
        {"key": "asleep", "state": "paused"},
        {"key": "over"} | over,
        {"key": "silver", "tiers": ["silver"]},
        {"key": "soon"} | later,
        tiers={
            "basis": {"metric": "spend"},
            "levels": [{"key": "silver", "enter_at": 10000}],
        },
    )
    assert refused(world, {"offer": "asleep"}, 409, "state_conflict")["state"] == "paused"
    assert refused(world, {"offer": "over"}, 409, "state_conflict")["state"] == "ended"
    told = refused(world, {"offer": "silver"}, 409, "state_conflict")
    assert told["state"] == "tier_required" and "silver" in told["detail"]
    assert pointers(refused(world, {"offer": "none"}, 422, "validation_failed")) == ["/offer"]
    refused(world, {}, 404, "not_found", ref="nobody")
    # The first that the member can share: what has not begun can be shared already.
    made = world.post("/members/mina/links", {}, status=201)
    assert made["offer"] == "soon"
    assert [one["is_open"] for one in world.get("/members/mina/links")["data"]] == [False]
    world.order("A-1", 10000, member_ref="jun")
    assert world.post("/members/jun/links", {}, status=201)["offer"] == "silver"
    assert world.post("/members/jun/links", {"offer": "soon"}, status=201)["offer"] == "soon"
    page = world.get("/members/jun/links?limit=1")
    assert [one["offer"] for one in page["data"]] == ["silver"]
    page = world.get(f"/members/jun/links?limit=1&cursor={page['next_cursor']}")
    assert [one["offer"] for one in page["data"]] == ["soon"] and page["next_cursor"] is None
    body = {"section": "referral_offers", "key": "soon", "state": "paused", "reason": "r"}
    world.post("/switches", body)
    assert refused(world, {}, 409, "state_conflict")["state"] == "tier_required"
    world.post("/switches", body | {"key": "silver"})
    assert refused(world, {}, 409, "state_conflict")["state"] == "no_offer"
    assert refused(play(make_world, {"key": "off", "state": "paused"}), {}, 409, "state_conflict")


def test_whoever_is_blocked_or_erased_gets_no_link(make_world: MakeWorld) -> None:
    world = play(make_world)
    world.post("/members/mina/links", {}, status=201)
    mina = ids.read_id("mem", world.get("/members/mina")["id"])
    row = {
        "program_id": ids.read_id("prg", world.program_id),
        "member_id": mina,
        "referral_id": ids.new_id(),
        "created_at": 0,
    }
    with world.app.app_context():
        db.in_transaction(lambda connection: connection.execute(sa.insert(BLOCKS).values(row)))
    assert refused(world, {}, 409, "state_conflict")["state"] == "blocked"
    # Whoever follows the link that they had is nobody's friend.
    assert [one["is_open"] for one in world.get("/members/mina/links")["data"]] == [False]
    made = world.post("/members/jun/links", {}, status=201, key="kept")
    assert [one["is_open"] for one in world.get("/members/jun/links")["data"]] == [True]
    assert world.call("DELETE", "/members/jun").status_code == 200
    for ref in ("jun", world.get("/members/mina")["id"].replace("mem", "mex")):
        refused(world, {}, 404, "not_found", ref=ref)
    headers = {"Idempotency-Key": "kept"}
    answer = world.call("POST", "/members/jun/links", {}, headers=headers)
    assert answer.status_code == 404 and made["code"] not in answer.get_data(as_text=True)


def test_a_picture_is_of_the_link_and_of_nothing_that_was_asked(make_world: MakeWorld) -> None:
    world = play(make_world)
    made = world.post("/members/mina/links", {"vanity": f"pic{letters()}"}, status=201)
    first = picture(world, made["code"])
    assert first.status_code == 200 and first.mimetype == "image/svg+xml"
    assert first.headers["Cache-Control"] == "public, max-age=86400"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    # However it is spelled and whatever else is asked, the drawing is of the code as it is shown.
    for text in (made["code"].upper(), f" {made['code']}", f"{made['code']}/qr.svg?ch=<b>&ch=2"):
        path = text if "?" in text else f"{text}/qr.svg"
        other = world.app.test_client().get(f"/r/{path}", headers={"Host": "evil.example"})
        assert other.data == first.data, text
    assert picture(world, made["aliases"][0]).data != first.data
    unknown = [letters(), "%00", "a%0d%0aSet-Cookie:x", "a;b,c", "x" * 10_000, "%ff", "<svg>"]
    for code in unknown:
        told = picture(world, code)
        assert told.status_code == 404, code
        assert "svg>" not in told.get_data(as_text=True) and "Set-Cookie" not in told.headers
    with world.app.app_context():
        shut = sa.update(CODES).where(CODES.c.code == made["code"]).values(is_closed=True)
        db.in_transaction(lambda connection: connection.execute(shut))
    assert picture(world, made["code"]).status_code == 404


def test_many_at_once_make_one_link_and_one_of_them_gets_a_code(make_world: MakeWorld) -> None:
    world, wanted = play(make_world), letters()

    def ask(ref: str, body: Any) -> Callable[[], Any]:
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        return lambda: world.call("POST", f"/members/{ref}/links", body, headers=headers)

    answers = at_once([ask("mina", {"channel": "sms"}) for _ in range(8)])
    assert sorted(one.status_code for one in answers) == [200] * 7 + [201]
    assert len({one.json["code"] for one in answers}) == 1
    [listed] = world.get("/members/mina/links")["data"]
    assert listed["counts"] == [{"channel": "sms", "shared": 8, "clicked": 0}]
    for number in range(6):
        world.member(f"m{number}")
    answers = at_once([ask(f"m{number}", {"vanity": wanted}) for number in range(6)])
    assert sorted(one.status_code for one in answers) == [201] + [409] * 5


def test_a_word_that_the_storefront_gives_itself_brings_nobody(make_world: MakeWorld) -> None:
    """Whoever chooses the shop's coupon as their code is not paid for every order that uses it."""
    pool = f"cinema{letters(4)}"
    world = play(
        make_world,
        OFFER | {"advocate": [{"do": "add_points", "points": 500}]},
        members={"auto_enrol": True},
        rewards=[
            {"key": key, "kind": "discount_amount", "value": {"minor": 500}, "voucher": voucher}
            for key, voucher in (
                ("cinema", {"pool": "cinema"}),
                ("hi", {"pattern": "HI-TH3RE-##"}),
                ("own", {}),
            )
        ],
    )
    world.put("/voucher-pools/cinema", {"codes": [pool]})
    # Our own codes, in any spelling, and what a reward's may look like, are nobody's to choose.
    for text in (pool, pool.upper(), "h1TH3REZ7"):
        refused(world, {"vanity": text}, 409, "already_exists")
    assert world.get("/members/mina/links")["data"] == []
    coupon = f"s{letters(5)}"
    assert len(coupon) == 8
    made = world.post("/members/mina/links", {"vanity": coupon}, status=201)
    [code] = made["aliases"]
    # Written with a sign of its own, a code that we made is still one that we made.
    respelled = code.lower()
    assert world.post("/members/mina/links", {"vanity": respelled})["code"] == respelled

    def brought(ref: str, **told: Any) -> Any:
        answer = world.order(f"o-{ref}", 1000, member_ref=ref, **told)
        return answer["referral"] and answer["referral"]["state"]

    for number, text in enumerate(
        (coupon, coupon.upper(), f"{code[:4]}-{code[4:]}", f"{code[:4]} {code[4:]}")
    ):
        assert brought(f"f{number}", codes=[text]) is None, text
    assert world.balance("mina") == 0
    # Said to be somebody's, it is; and the code that we made needs no saying.
    assert brought("g1", referral={"code": coupon}) == "approved"
    assert brought("g2", codes=[coupon, code]) == "approved"
    assert brought("g3", codes=[respelled]) == "approved"
    assert world.balance("mina") == 1500
    assert world.verify()["mismatches"] == []


def test_a_name_that_was_chosen_is_gone_with_its_member_and_never_given_again(
    make_world: MakeWorld,
) -> None:
    world = play(make_world)
    name, other = f"Mina{letters()}", f"kim{letters()}"
    made = world.post("/members/mina/links", {"vanity": other}, status=201)
    world.post("/members/mina/links", {"vanity": name})
    [code] = made["aliases"]
    client = world.app.test_client()
    assert client.get(f"/r/{name}").status_code == 302
    assert world.call("DELETE", "/members/mina").status_code == 200
    # What we made is closed and still leads to the page; what was chosen is not known any more.
    assert client.get(f"/r/{code}").headers["Location"] == OFFER["landing_url"]
    for text in (name, other):
        assert client.get(f"/r/{text}").status_code == 404
        for spelled in (text, text.upper()):
            refused(world, {"vanity": spelled}, 409, "already_exists", ref="jun")
    with world.app.app_context():
        rows = db.reading(
            lambda connection: [
                [tuple(row) for row in connection.execute(sa.select(table))]
                for table in (CODES, LINKS)
            ]
        )
    told = str(rows).casefold()
    assert name.casefold() not in told and other.casefold() not in told
    assert str(codes.canonical(name)) not in told and code.casefold() in told
    # A key that is new finds it as long as the old one is accepted.
    settings = world.app.extensions["dangol.settings"]
    turned = replace(settings, secret_key="n" * 40, secret_key_fallbacks=(settings.secret_key,))
    world.app.extensions["dangol.settings"] = turned
    try:
        with world.app.app_context():
            owner = db.reading(lambda one: links._owner(one, str(codes.canonical(name))))
    finally:
        world.app.extensions["dangol.settings"] = settings
    assert owner is not None
    assert world.verify()["mismatches"] == []
