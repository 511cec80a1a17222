"""SEMANTICS F52: a link leads to its offer's page and nowhere else; a server that stops has counted
what it was asked."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Settings, SettingsError
from core.errors import Problem
from programs import versions
from programs.referrals import host_of
from referrals import counting
from storefront.referring.links import redirecting
from tests.conftest import SECRET_KEY
from tests.server.test_serve import call, flask, free_port, start
from tests.world import World, document

PAGE = "https://bloom.example/welcome"
PERSON = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/122.0 Safari/537.36"
DATABASE = "sqlite:////nowhere/at/all.db"


@pytest.mark.parametrize(
    ("url", "plain", "carrying"),
    [
        (PAGE, PAGE, f"{PAGE}?rt=T"),
        ("https://a.example", "https://a.example/", "https://a.example/?rt=T"),
        (f"{PAGE}?", PAGE, f"{PAGE}?rt=T"),
        (f"{PAGE}?a=1&b=%26#x", f"{PAGE}?a=1&b=%26#x", f"{PAGE}?a=1&b=%26&rt=T#x"),
        (f"{PAGE}?a=1&", f"{PAGE}?a=1&", f"{PAGE}?a=1&rt=T"),
        (f"{PAGE}?rt=old&a=%2B#/r?rt=1", f"{PAGE}?a=%2B#/r?rt=1", f"{PAGE}?a=%2B&rt=T#/r?rt=1"),
        (f"{PAGE}#?", f"{PAGE}#?", f"{PAGE}?rt=T#?"),
        (
            "https://bücher.example/환영?이름=단골",
            "https://xn--bcher-kva.example/%ED%99%98%EC%98%81?%EC%9D%B4%EB%A6%84=%EB%8B%A8%EA%B3%A8",
            "https://xn--bcher-kva.example/%ED%99%98%EC%98%81?%EC%9D%B4%EB%A6%84=%EB%8B%A8%EA%B3%A8"
            "&rt=T",
        ),
        # What is there besides stays as it was written; every `rt` goes, however it is spelled.
        (
            f"{PAGE}?a=%ff+%FE&rt=x&b[]=|{{}}~';?/@:!$*(),&r%74=1&&rt&RT=2#a b",
            f"{PAGE}?a=%ff+%FE&b[]=|{{}}~';?/@:!$*(),&&RT=2#a%20b",
            f"{PAGE}?a=%ff+%FE&b[]=|{{}}~';?/@:!$*(),&&RT=2&rt=T#a%20b",
        ),
        (f"{PAGE}?rt=x&rt=y", PAGE, f"{PAGE}?rt=T"),
        ("https://a.example:443\\@evil", None, None),
    ],
)
def test_a_token_is_added_to_the_query_of_a_page(
    url: str, plain: str | None, carrying: str | None
) -> None:
    assert redirecting.landing(url) == plain
    assert redirecting.landing(url, "T") == carrying


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example:443/x", "a.example"),
        ("http://a.example:80", "a.example"),
        ("https://a.example:80/", "a.example:80"),
        ("https://a.example.:8443/", "a.example:8443"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://ｂücher。example/", "xn--bcher-kva.example"),
        ("https://a\u200bb.example/", "ab.example"),
        ("https://a_b.example?x", "a_b.example"),
        ("https://[::0:1]:443/", "[::1]"),
        *((f"https://{one}/", None) for one in ("a..example", ".example", "[::1", "[::1%25a]", "")),
        *((f"https://{one}/", None) for one in ("a.example:99999", "a.example:0", "a.example:x")),
        *((f"https://{one}/", None) for one in ("\u2100.example", "a" * 64 + ".example", "a%2fb")),
        *(
            (f"https://{one}/", None)
            for one in ("me@a.example", ":p@a.example", "a.b\\.c", "a\x7f")
        ),
        ("https://" + "a23456789." * 26 + "example/", None),
    ],
)
def test_a_host_is_what_is_looked_up(url: str, host: str | None) -> None:
    assert host_of(url) == host
    # What cannot be looked up, nobody is led to; nothing raises.
    assert (redirecting.landing(url, "T") is None) == (host is None)
    assert host is None or str(redirecting.landing(url)).startswith(f"{url[:5].strip(':')}:")


def test_hosts_are_compared_as_they_are_looked_up_and_nobody_is_led_elsewhere(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(url: str, *hosts: str) -> dict[str, Any]:
        return {"key": "friends", "landing_url": url, "allowed_hosts": list(hosts)}

    for url, host in (
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://a.example:443/", "A.example"),
        ("https://a.example/", "a.example:443"),
        ("http://a.example:80/", "a.example"),
    ):
        versions.validate(document(referral_offers=[made(url, host)]))
    for url, *hosts in (
        ("https://a.example/", "a.example:80"),
        ("https://bücher.example/", "bucher.example"),
        ("https://a..example/", "a..example"),
        ("https://a.example:99999/",),
        ("https://" + "a" * 64 + ".example/",),
    ):
        with pytest.raises(Problem, match="landing_url"):
            versions.validate(document(referral_offers=[made(url, *hosts)]))
    # A document of before that was checked: as if there were no page.
    monkeypatch.setattr("programs.checking.referrals._check_landing", lambda *_: None)
    world = World(app, referral_offers=[made("https://a..example/")])
    world.member("mina")
    path = f"/r/{world.post('/members/mina/links', {}, status=201)['code']}"
    for agent in (PERSON, "Slackbot 1.0"):
        answer = app.test_client().get(path, headers={"User-Agent": agent})
        assert answer.status_code == 404 and "Set-Cookie" not in answer.headers


def test_the_page_for_unknown_links_is_an_address_or_refused() -> None:
    def read(url: str) -> str:
        env = {"DATABASE_URL": DATABASE, "SECRET_KEY": SECRET_KEY, "LINK_FALLBACK_URL": url}
        return Settings.from_env(env).link_fallback_url

    for good in ("", "https://bloom.example", "http://localhost:8080/lost?from=link#a"):
        assert read(good) == good
    for bad in (
        "bloom.example",
        "//bloom.example",
        "javascript:alert(1)",
        "https://a b",
        "http://",
    ):
        with pytest.raises(SettingsError, match="LINK_FALLBACK_URL"):
            read(bad)


@pytest.fixture
def settle(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FlaskClient]:
    """Change settings of the instance; a browser of it."""

    def change(**settings: Any) -> FlaskClient:
        changed = replace(app.extensions["dangol.settings"], **settings)
        monkeypatch.setitem(app.extensions, "dangol.settings", changed)
        return app.test_client()

    return change


@pytest.fixture
def code(app: Flask) -> str:
    world = World(app, referral_offers=[{"key": "friends", "landing_url": PAGE}])
    world.member("mina")
    found: str = world.post("/members/mina/links", {}, status=201)["code"]
    return found


def hostile() -> Iterator[tuple[str, dict[str, str]]]:
    """What is put behind a code, and headers, that must not get into where it leads."""
    evil = "evil.example"
    for query in (
        f"rt={evil}",
        f"url=https://{evil}",
        f"landing_url=//{evil}&next=//{evil}",
        f"ch=https://{evil}",
        "ch=%0d%0aSet-Cookie:%20a=b",
        "ch=a%00b",
        "ch=" + "a" * 33,
        "ch[]=kakao&ch=%ff%fe",
        "fbclid=1;ch=x,y",
    ):
        yield f"?{query}", {}
    for header in ("Host", "X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded"):
        yield "", {header: evil}
    yield "", {"X-Forwarded-Proto": "javascript", "X-Forwarded-Prefix": f"//{evil}"}
    yield "", {"Referer": f"https://{evil}/", "Origin": f"https://{evil}"}


def test_nothing_of_a_request_changes_where_a_link_leads(
    app: Flask, code: str, settle: Callable[..., FlaskClient]
) -> None:
    for query, headers in hostile():
        answer = app.test_client().get(
            f"/r/{code}{query}", headers={"User-Agent": PERSON, **headers}
        )
        assert answer.status_code == 302, (query, headers)
        location = answer.headers["Location"]
        assert location.startswith(f"{PAGE}?rt=") and location.isascii()
        told = f"{location} {answer.headers['Set-Cookie']}"
        assert not any(sign in told for sign in ("evil", "\r", "\n", "a=b"))
        assert [name for name, _ in answer.headers].count("Set-Cookie") == 1
        assert answer.get_data() == b""
    secure = settle(base_url="https://go.bloom.example")
    assert (
        "; Secure;"
        in secure.get(f"/r/{code}", headers={"User-Agent": PERSON}).headers["Set-Cookie"]
    )


@pytest.mark.parametrize(
    "path",
    [
        *("zzzzzzzz", "a", "%20", "%00", "%0d%0aSet-Cookie:%20a=b", "a;b,c", "..", "%2e%2e"),
        *("%ff%fe", "<script>alert(1)</script>", "{{7*7}}", "x" * 10_000, "%ed%95%9c%ea%b8%80"),
        *("//evil.example", "/evil.example", "%2f%2fevil.example", "\\evil.example", "a/b"),
        *("https://evil.example", "%E3%85%A4", "dangol_rt", "'", "%27%20OR%201=1--"),
    ],
)
def test_an_unknown_code_leads_to_the_page_for_them_or_is_not_found(app: Flask, path: str) -> None:
    answer = app.test_client().get(f"/r/{path}", headers={"User-Agent": PERSON})
    assert answer.status_code == 404 and len(answer.get_data()) < 500
    assert answer.mimetype == "application/problem+json"
    told = answer.get_data(as_text=True) + str(answer.headers)
    for text in ("evil", "<script", "Set-Cookie", "{{", "49", "xxxx", "OR 1", "한글"):
        assert text not in told.replace(answer.headers["X-Request-Id"], "")


def test_unknown_links_lead_to_the_instances_page(
    code: str, settle: Callable[..., FlaskClient]
) -> None:
    fallback = "https://bloom.example/lost?from=link"
    other = settle(link_fallback_url=fallback)
    for path in ("zzzzzzzz", "x" * 10_000, "<b>"):
        answer = other.get(f"/r/{path}?ch=kakao", headers={"User-Agent": PERSON})
        assert (answer.status_code, answer.headers["Location"]) == (302, fallback)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
    known = other.get(f"/r/{code}", headers={"User-Agent": PERSON})
    assert known.headers["Location"].startswith(f"{PAGE}?rt=")


def test_a_visitors_address_is_taken_from_our_own_proxies_only(
    code: str, settle: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(
        counting.Counting, "click", lambda _self, _program, one: seen.append(one.visitor)
    )

    def visit(proxies: int, told: str, address: str = "10.0.0.1") -> bytes:
        client = settle(trusted_proxies=proxies)
        headers = {"User-Agent": PERSON, "X-Forwarded-For": told}
        client.get(f"/r/{code}", headers=headers, environ_overrides={"REMOTE_ADDR": address})
        return seen[-1]

    home = visit(0, "", "203.0.113.9")
    assert visit(0, "203.0.113.9") != home
    assert visit(0, "198.51.100.1", "203.0.113.200") == home
    assert visit(1, "198.51.100.1, 203.0.113.9") == home
    assert visit(2, "198.51.100.1, 203.0.113.9, 10.1.1.1") == home
    # Somebody who speaks to us without them is taken at their own address.
    assert visit(2, "203.0.113.9", "203.0.113.9") == home
    # With a port, and where a proxy of ours said nothing that is an address.
    assert visit(1, "203.0.113.9:5555") == home
    for told in ("", " ", "unknown", "_hidden", "203.0.113.9.1", "[", "x:1"):
        assert visit(1, told, "203.0.113.9") == home, told
    sixth = visit(0, "", "2001:db8:1::7")
    assert sixth != home
    for told in ("[2001:db8:1::8]:443", "[2001:db8:1::8]", "2001:db8:1:2::9"):
        assert visit(1, told) == sixth, told


def test_a_server_that_is_stopped_has_counted_what_it_was_asked(tmp_path: Path) -> None:
    assert flask(tmp_path, "db", "upgrade").returncode == 0
    file = tmp_path / "program.json"
    offer = {"key": "friends", "landing_url": PAGE}
    file.write_text(json.dumps(document(referral_offers=[offer])))
    created = flask(tmp_path, "program", "create", "--name", "S", "--document", str(file), "--json")
    key = json.loads(created.stdout)["secret_key"]
    port = free_port()
    process = start(tmp_path, port)
    try:
        assert call(port, "PUT", "/v1/members/mina", key=key, body={})[0] == 201
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": "link-1"}
        connection.request("POST", "/v1/members/mina/links", "{}", headers)
        shared = json.loads(connection.getresponse().read())["code"]
        for number in range(20):
            agent = f"{PERSON} Visitor/{number // 2}"
            connection.request("GET", f"/r/{shared}?ch=sms", headers={"User-Agent": agent})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 302
        connection.close()
    finally:
        # Before the thread that counts wakes up.
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    with sqlite3.connect(tmp_path / "served.db") as database:
        found = database.execute(
            "SELECT kind, sum(count) FROM link_counts WHERE kind <> 'shared' GROUP BY kind"
        ).fetchall()
    database.close()
    assert dict(found) == {"clicked": 10, "repeated": 10}
