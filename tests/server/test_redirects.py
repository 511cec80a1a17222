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
from referrals import counting
from storefront.referring import redirecting
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
    ],
)
def test_a_token_is_added_to_the_query_of_a_page(url: str, plain: str, carrying: str) -> None:
    assert redirecting.landing(url) == plain
    assert redirecting.landing(url, "T") == carrying


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
