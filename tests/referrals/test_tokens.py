"""Tokens of clicks: what they carry, for whom and how long they are believed."""

import hashlib
from collections.abc import Iterator

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer

from config import Settings
from core import clock, signing
from referrals import tokens
from referrals.touches import Touch

PROGRAM, OTHER = b"p" * 16, b"q" * 16
AT = clock.parse_instant("2026-03-01T10:00:00Z")
END = AT + tokens.LIFETIME
NEW, OLD = "new-key-0123456789-abcdefghijklmnop", "old-key-0123456789-abcdefghijklmnop"


def keyed(*keys: str) -> Flask:
    app = Flask("tokens")
    app.extensions["dangol.settings"] = Settings(
        database_url="sqlite://", secret_key=keys[0], secret_key_fallbacks=keys[1:]
    )
    return app


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    with keyed(OLD).app_context():
        yield


def touch(number: int, link: int | None = None, **more: object) -> Touch:
    values = {"channel": None, "version": 1, "switches": 0, "clicked_at": AT + number} | more
    link_id = bytes([number if link is None else link]) * 16
    return Touch(link_id=link_id, **values)  # type: ignore[arg-type]


def test_a_token_brings_back_its_touches() -> None:
    told = [touch(1, channel="kakao", visitor=b"v" * 32), touch(2, version=7, switches=3)]
    token = tokens.make(PROGRAM, told, expires_at=END)
    assert tokens.read(token, PROGRAM, now=END - 1) == told
    with pytest.raises(signing.ExpiredTokenError):
        tokens.read(token, PROGRAM, now=END)
    for now in (AT, END):
        with pytest.raises(signing.BadTokenError):
            tokens.read(token, OTHER, now=now)


def test_what_is_damaged_forged_or_made_for_something_else_is_not_believed() -> None:
    token = tokens.make(PROGRAM, [touch(1)], expires_at=END)
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for text in (
        *("", ".", "x", "한글", "\ud800", "x" * 10_000, token[:-1], token + "A", changed),
        signing.sign("member", ["a", "b"], expires_at=END),
        signing.sign(tokens.PURPOSE, [], expires_at=END),
        signing.sign(tokens.PURPOSE, ["cHBwcHBwcHBwcHBwcHBwcA", "a,b"], expires_at=END),
    ):
        with pytest.raises(signing.BadTokenError):
            tokens.read(text, PROGRAM, now=AT)


def test_a_token_is_short_and_keeps_the_last_five() -> None:
    large = 2**62
    told = [
        touch(
            number,
            channel="".join(chr(97 + (number * 7 + at) % 26) for at in range(32)),
            version=large - number,
            switches=large - 7 * number,
            clicked_at=large + number * 1_234_567_891,
            visitor=bytes((number * 31 + at * 17) % 256 for at in range(32)),
        )
        for number in range(1, 9)
    ]
    token = tokens.make(PROGRAM, told, expires_at=large)
    assert len(token) < tokens.LENGTH_MAX
    assert tokens.read(token, PROGRAM, now=AT) == told[-5:]


def test_a_token_is_believed_under_a_key_that_still_is() -> None:
    token = tokens.make(PROGRAM, [touch(1)], expires_at=END)
    with keyed(NEW, OLD).app_context():
        assert tokens.read(token, PROGRAM, now=AT) == [touch(1)]
        renewed = tokens.make(PROGRAM, [touch(2)], expires_at=END)
    with keyed(NEW).app_context():
        assert tokens.read(renewed, PROGRAM, now=AT) == [touch(2)]
        with pytest.raises(signing.BadTokenError):
            tokens.read(token, PROGRAM, now=AT)


def test_tokens_are_those_of_the_library_that_signed_them_before() -> None:
    library = URLSafeSerializer(
        OLD,
        salt="dangol.click",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
    # Short ones it wrote as they are; long ones compressed, with a dot before them.
    for values in (["a", "b"], ["a" * 200, "b"]):
        token = library.dumps([END, *values])
        assert token.startswith(".") == (len(values[0]) > 1)
        with keyed(NEW, OLD).app_context():
            assert signing.opened(tokens.PURPOSE, token) == (END, values)
        with keyed(NEW).app_context(), pytest.raises(signing.BadTokenError):
            signing.opened(tokens.PURPOSE, token)
        assert library.loads(signing.sign(tokens.PURPOSE, values, expires_at=END)) == [END, *values]


def test_clicking_one_link_again_and_again_drops_nobody_elses_touch() -> None:
    chain: list[Touch] = []
    for number, link in enumerate([1, 2, 2, 2, 2, 2, 3]):
        chain = tokens.chained(chain, touch(number, link))
    assert chain == [touch(0, 1), touch(1, 2), touch(5, 2), touch(6, 3)]
    # Told late, it takes its place by time; with equal instants the one told last comes last.
    assert tokens.chained(chain, touch(3, 4))[2] == touch(3, 4)
    assert tokens.chained(chain, touch(6, 4))[-1] == touch(6, 4)
    for number in range(7, 10):
        chain = tokens.chained(chain, touch(number, number))
    assert [one.clicked_at - AT for one in chain] == [5, 6, 7, 8, 9]
