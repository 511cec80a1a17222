"""Links as people open them: tokens that chain, what counts and what does not, told clicks."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from core import clock, db, ids
from referrals import clicks, codes, counting, tokens
from referrals.counting import Clicked, Counting
from referrals.models import Click, Lead, LinkCount, ReferralBlock, Trace
from referrals.touches import Touch
from storefront.referring.links import redirecting
from tests.contract.checking import problem
from tests.world import World

PAGE = "https://bloom.example/welcome?lang=ko&rt=old#top"
OFFER = {"key": "friends", "landing_url": PAGE, "click_window": "P30D"}
PERSON = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/122.0 KAKAOTALK 2410500"
_keys = itertools.count()


def play(make_world: Callable[..., World], *members: str, **changes: Any) -> World:
    """A program with an offer, on 1 March 2026 at 19:00 in Seoul, and members with links."""
    world = make_world(**({"referral_offers": [OFFER]} | changes))
    world.set_clock("2026-03-01T10:00:00Z")
    for ref in members:
        world.member(ref)
    return world


def link(world: World, ref: str) -> str:
    """The code of a member's link."""
    headers = {"Idempotency-Key": f"link-{next(_keys)}"}
    answer = world.call("POST", f"/members/{ref}/links", {}, headers=headers)
    assert answer.status_code in (200, 201), answer.get_data(as_text=True)
    code: str = answer.json["code"]
    return code


def follow(browser: FlaskClient, code: str, *, method: str = "GET", **headers: str) -> Any:
    """A person's browser opens a link, unless the headers say otherwise."""
    sent = {"User-Agent": PERSON} | {one.replace("_", "-"): text for one, text in headers.items()}
    return browser.open(f"/r/{code}", method=method, headers=sent)


def token_of(answer: Any) -> str | None:
    """The token that a redirect leads on with; everything else of its address is the page's."""
    assert answer.status_code == 302, answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    location = answer.headers["Location"]
    before, after = "https://bloom.example/welcome?lang=ko", "#top"
    assert location.startswith(before) and location.endswith(after)
    found = location.removeprefix(before).removesuffix(after)
    if not found:
        assert "Set-Cookie" not in answer.headers
        return None
    assert found.startswith("&rt=")
    return str(found.removeprefix("&rt="))


def touches(world: World, token: str | None) -> list[tuple[bytes, str | None, str, int]]:
    """What a token says: links, channels, instants, versions."""
    assert token is not None
    with world.app.app_context():
        now = clock.parse_instant("2026-03-01T10:00:00Z")
        read = tokens.read(token, program_id(world), now=now)
    shown = clock.format_instant
    return [(one.link_id, one.channel, shown(one.clicked_at), one.version) for one in read]


def program_id(world: World) -> bytes:
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def in_app(world: World, work: Callable[[], Any]) -> Any:
    with world.app.app_context():
        return work()


def link_id(world: World, code: str) -> bytes:
    canonical = str(codes.canonical(code))
    found = in_app(world, lambda: db.reading(lambda one: clicks.find(one, canonical)))
    assert isinstance(found, clicks.Target)
    return found.link_id


def counts(world: World) -> dict[tuple[bytes, str, str, str], int]:
    """What was counted of clicks so far, once everything is written."""

    def read(connection: sa.Connection) -> dict[Any, int]:
        rows = connection.execute(
            sa.select(
                *(LinkCount.link_id, LinkCount.day, LinkCount.channel, LinkCount.kind),
                LinkCount.count,
            ).where(LinkCount.program_id == program_id(world), LinkCount.kind != "shared")
        )
        return {(bytes(one), *rest): number for one, *rest, number in rows}

    def work() -> Any:
        assert counting.of_process().flush()
        return db.reading(read)

    found: dict[tuple[bytes, str, str, str], int] = in_app(world, work)
    return found


def click(world: World, code: str, *, status: int = 201, **body: Any) -> Any:
    """A click that the storefront tells of."""
    headers = {"Idempotency-Key": f"click-{next(_keys)}"}
    answer = world.call("POST", "/clicks", {"code": code} | body, headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer


def test_a_browser_chains_its_clicks_and_a_visitor_counts_once_a_day(
    make_world: Callable[..., World],
) -> None:
    world = play(make_world, "mina", "jun")
    mina, jun = link(world, "mina"), link(world, "jun")
    ours, theirs = link_id(world, mina), link_id(world, jun)
    browser = world.app.test_client()
    first = follow(browser, f"{mina}?ch=kakao&utm_source=x&utm_source=y")
    assert touches(world, token_of(first)) == [(ours, "kakao", "2026-03-01T10:00:00Z", 1)]
    cookie = first.headers["Set-Cookie"]
    # 30 days are 2,592,000 seconds; without https the cookie could not be Secure.
    for part in (
        f"{redirecting.cookie_of(program_id(world))}=",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/r/",
        "Max-Age=2592000",
    ):
        assert part in cookie
    assert "Secure" not in cookie and token_of(first) in cookie
    # Typed in lower case; a channel that is none is not taken.
    again = follow(browser, f"{mina.lower()}?ch=Kakao;x")
    assert [one[1] for one in touches(world, token_of(again))] == ["kakao", None]
    world.set_clock("2026-03-01T14:59:59Z")
    last = follow(browser, f"{jun}?ch=line")
    assert [one[0] for one in touches(world, token_of(last))] == [ours, ours, theirs]
    # From here on it is 2 March in Seoul.
    world.set_clock("2026-03-01T15:00:00Z")
    follow(browser, f"{mina}?ch=kakao")
    # Another browser of the same network is another visitor; without a cookie it is known again.
    stranger = PERSON.replace("14", "12")
    for _ in range(3):
        follow(world.app.test_client(), f"{mina}?ch=kakao", User_Agent=stranger)
    assert counts(world) == {
        (ours, "2026-03-01", "kakao", "clicked"): 1,
        (ours, "2026-03-01", "", "repeated"): 1,
        (theirs, "2026-03-01", "line", "clicked"): 1,
        (ours, "2026-03-02", "kakao", "clicked"): 2,
        (ours, "2026-03-02", "kakao", "repeated"): 2,
    }
    # What was written before is known to what is written later.
    follow(world.app.test_client(), mina, User_Agent=stranger)
    assert counts(world)[ours, "2026-03-02", "", "repeated"] == 1


def test_machines_and_closed_codes_are_led_to_the_page_without_a_token(
    make_world: Callable[..., World],
) -> None:
    later = OFFER | {"schedule": {"starts_at": "2026-04-01T00:00:00Z"}}
    world = play(make_world, "mina")
    code = link(world, "mina")
    browser = world.app.test_client()
    for more in (
        {"method": "HEAD"},
        {"User_Agent": "facebookexternalhit/1.1; kakaotalk-scrap/1.0"},
        {"User_Agent": ""},
        {"Purpose": "prefetch"},
        {"Sec_Purpose": "prefetch;prerender"},
        {"X_Moz": "prefetch"},
        {"Sec_Fetch_Dest": "iframe"},
    ):
        assert token_of(follow(browser, f"{code}?ch=sms", **more)) is None
    assert browser.open(f"/r/{code}", method="OPTIONS").status_code == 200
    ours = link_id(world, code)
    assert counts(world) == {(ours, "2026-03-01", "sms", "previewed"): 7}

    assert token_of(follow(browser, code)) is not None
    switch = {"section": "referral_offers", "key": "friends", "state": "paused", "reason": "sold"}
    world.post("/switches", switch)
    assert token_of(follow(browser, code)) is None
    assert problem(click(world, code, status=409), 409, "state_conflict")["state"] == "closed"
    world.post("/switches", switch | {"state": "live"})
    assert token_of(follow(browser, code)) is not None
    world.publish(referral_offers=[later])
    assert token_of(follow(browser, code)) is None
    world.set_clock("2026-04-01T00:00:00Z")
    assert token_of(follow(browser, code)) is not None
    member_id = ids.read_id("mem", world.get("/members/mina")["id"])
    block = {"program_id": program_id(world), "member_id": member_id}

    def write(statement: Any) -> None:
        in_app(world, lambda: db.in_transaction(lambda one: one.execute(statement)))

    write(sa.insert(ReferralBlock).values(**block, referral_id=ids.new_id(), created_at=1))
    assert token_of(follow(browser, code)) is None
    write(sa.delete(ReferralBlock).where(ReferralBlock.member_id == member_id))
    assert token_of(follow(browser, code)) is not None
    # An offer that is gone, and one that has no page yet, lead nowhere.
    world.publish(referral_offers=[])
    assert follow(browser, code).status_code == 404
    world.publish(referral_offers=[{"key": "friends"}])
    assert follow(browser, code).status_code == 404
    assert sum(n for (*_, kind), n in counts(world).items() if kind == "clicked") == 2


def test_a_storefront_tells_of_clicks_itself(make_world: Callable[..., World]) -> None:
    world = play(make_world, "mina", "jun")
    mina, jun = link(world, "mina"), link(world, "jun")
    ours, theirs = link_id(world, mina), link_id(world, jun)
    device: dict[str, Any] = {
        "visitor": {"device": "d-1", "ip": "203.0.113.9", "user_agent": PERSON}
    }
    first = click(world, mina, channel="app", **device).json
    assert first["is_preview"] is False
    assert touches(world, first["token"]) == [(ours, "app", "2026-03-01T10:00:00Z", 1)]
    world.set_clock("2026-03-05T10:00:00Z")
    world.publish(referral_offers=[OFFER | {"name": {"en": "Now"}}])
    # The click of 1 March is known by the device, from another network too.
    second = click(world, jun, visitor={"device": "d-1", "ip": "198.51.100.1"}).json["token"]
    assert touches(world, second) == [
        (ours, "app", "2026-03-01T10:00:00Z", 1),
        (theirs, None, "2026-03-05T10:00:00Z", 2),
    ]
    # Told late: by the offer as it was then, in its place. A second click of that day by d-1.
    late = click(world, mina, occurred_at="2026-03-01T11:00:00Z", **device).json["token"]
    assert [(one[0], one[3]) for one in touches(world, late)] == [(ours, 1), (ours, 1), (theirs, 2)]
    # By network and browser together, never by one of them.
    agents = ({"user_agent": PERSON}, {"user_agent": "MyShop/3.2 CFNetwork/1485"})
    for visitor in ({"ip": "203.0.113.9"}, *agents, {}):
        alone = click(world, mina, visitor=visitor).json["token"]
        assert len(touches(world, alone)) == 1
    both = {"ip": "203.0.113.200", "user_agent": PERSON}
    for number in (1, 2):
        told = click(world, mina, visitor=both).json["token"]
        assert len(touches(world, told)) == number
    bot = click(world, mina, visitor={"user_agent": "Twitterbot/1.0"}).json
    assert bot == {"token": None, "is_preview": True}
    assert counts(world) == {
        (ours, "2026-03-01", "app", "clicked"): 1,
        (theirs, "2026-03-05", "", "clicked"): 1,
        (ours, "2026-03-01", "", "repeated"): 1,
        (ours, "2026-03-05", "", "clicked"): 5,
        (ours, "2026-03-05", "", "repeated"): 1,
        (ours, "2026-03-05", "", "previewed"): 1,
    }
    # Up to five minutes ahead is now.
    soon = click(world, mina, occurred_at="2026-03-05T10:05:00Z").json["token"]
    assert touches(world, soon)[0][2] == "2026-03-05T10:00:00Z"
    refused = click(world, mina, status=422, occurred_at="2026-03-05T10:05:01Z").json
    assert refused["errors"][0]["pointer"] == "/occurred_at"
    other = play(make_world, "mina")
    problem(click(other, mina, status=404), 404, "not_found")
    problem(click(world, "한글코드", status=404), 404, "not_found")
    problem(world.call("POST", "/clicks", {"code": mina}), 400, "idempotency_key_missing")


def clicked(of: bytes, visitor: int, *, day: str = "2026-03-01", channel: str = "") -> Clicked:
    return Clicked(
        link_id=of,
        day=day,
        channel=channel,
        visitor=bytes([visitor % 256]) * 32,
        version=1,
        switches=0,
        clicked_at=1,
        expires_at=2**60,
    )


def test_nothing_is_counted_twice_or_lost_by_processes_that_fail_or_meet(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play(make_world, "mina")
    ours, program = link_id(world, link(world, "mina")), program_id(world)
    one, two = Counting(world.app), Counting(world.app)
    monkeypatch.setattr(counting, "_PAUSE", 3600.0)
    # 250 visitors, more than one statement takes, in one process; 100 of them in the other too.
    for number in range(250):
        one.click(program, clicked(ours, number, day=f"2026-03-0{1 + number // 256}"))
    for number in range(100):
        two.click(program, clicked(ours, number, channel="line"))
        two.click(program, clicked(ours, number, channel="line"))
    one.count(program, (ours, "2026-03-01", "", "previewed"))
    write = counting.write

    def fail(*_: Any) -> None:
        raise sa.exc.TimeoutError

    monkeypatch.setattr(counting, "write", fail)
    assert not one.flush()
    one.click(program, clicked(ours, 0))
    assert not one.flush()
    monkeypatch.setattr(counting, "write", write)
    # A row that the database refuses holds up no other.
    two.count(program, (ids.new_id(), "2026-03-01", "", "previewed"))
    assert one.flush() and two.flush() and one.flush()
    assert counts(world) == {
        (ours, "2026-03-01", "", "clicked"): 250,
        (ours, "2026-03-01", "", "repeated"): 1,
        (ours, "2026-03-01", "line", "repeated"): 200,
        (ours, "2026-03-01", "", "previewed"): 1,
    }
    # Anybody may name any channel: of one link and day so many are told apart.
    known = [one.known_channel(ours, "2026-03-01", f"c{at}") for at in range(60)]
    assert known == [f"c{at}" for at in range(50)] + ["other"] * 10
    assert one.known_channel(ours, "2026-03-01", "c7") == "c7"
    assert one.known_channel(ours, "2026-03-02", "c99") == "c99"
    monkeypatch.setattr(counting, "HELD_MAX", 5)
    for number in range(8):
        one.click(program, clicked(ours, number, day="2026-03-09"))
    assert one.flush()
    assert counts(world)[ours, "2026-03-09", "", "clicked"] == 5


def test_evidence_that_is_over_is_forgotten_by_the_programs_own_clock(
    make_world: Callable[..., World],
) -> None:
    world = play(make_world, "mina")
    code = link(world, "mina")
    ours, program = link_id(world, code), program_id(world)
    member_id = ids.read_id("mem", world.get("/members/mina")["id"])
    follow(world.app.test_client(), code)
    counts(world)
    # The window of 30 days ends at 2026-03-31T10:00:00Z.
    end = clock.parse_instant("2026-03-31T10:00:00Z")
    lead = {"kind": "email", "link_id": ours, "method": "code", "version": 1, "switches": 0}
    trace = {"kind": "device", "member_id": member_id, "epoch": 1, "seen_at": 1}

    def fill(connection: sa.Connection) -> None:
        for at in (end, end + 1):
            digest = bytes([at % 256]) * 32
            connection.execute(
                sa.insert(Lead).values(
                    **lead,
                    **{"program_id": program, "id": ids.new_id(), "digest": digest},
                    **{"touched_at": 1, "expires_at": at},
                )
            )
            connection.execute(
                sa.insert(Trace).values(**trace, program_id=program, digest=digest, expires_at=at)
            )

    def left(connection: sa.Connection) -> list[int]:
        return [
            len(connection.execute(sa.select(one.expires_at).filter_by(program_id=program)).all())
            for one in (Click, Lead, Trace)
        ]

    def forget() -> Any:
        clicks.forget_expired(clock.system_now())
        return db.reading(left)

    in_app(world, lambda: db.in_transaction(fill))
    world.set_clock("2026-03-31T09:59:59Z")
    assert in_app(world, forget) == [1, 2, 2]
    touch = [Touch(ours, 1, 0, None, clock.parse_instant("2026-03-01T10:00:00Z"))]
    digests = in_app(world, lambda: clicks.visitors(program, ip="127.0.0.1", agent=PERSON))

    def seen(now: int) -> list[Touch]:
        found: list[Touch] = in_app(
            world, lambda: db.reading(lambda one: clicks.earlier(one, program, digests, now=now))
        )
        return [Touch(one.link_id, 1, 0, None, one.clicked_at) for one in found]

    assert seen(end - 1) == touch and seen(end) == []
    world.set_clock("2026-03-31T10:00:00Z")
    assert in_app(world, forget) == [0, 1, 1]
