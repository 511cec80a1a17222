"""The cookie by which a browser's clicks are chained: one for each program, signed."""

from collections.abc import Callable

import pytest

from core import signing
from referrals import tokens
from storefront.referring.links import redirecting
from tests.scenarios.test_referral_clicks import (
    PERSON,
    follow,
    link,
    link_id,
    play,
    program_id,
    token_of,
    touches,
)
from tests.world import World


def test_a_browser_believes_no_cookie_that_is_not_its_programs(
    make_world: Callable[..., World],
) -> None:
    world, other = play(make_world, "mina", "jun"), play(make_world, "mina")
    mina, jun, foreign = link(world, "mina"), link(world, "jun"), link(other, "mina")
    token = token_of(follow(world.app.test_client(), foreign))
    good = token_of(follow(world.app.test_client(), jun))
    assert token is not None and good is not None
    ours, theirs = (redirecting.cookie_of(program_id(one)) for one in (world, other))
    for text in (token, good[:-1], good + "x", "x" * 4000, '"', "a.b.c"):
        browser = world.app.test_client()
        browser.set_cookie(ours, text, path="/r/")
        found = touches(world, token_of(follow(browser, mina)))
        assert [one[0] for one in found] == [link_id(world, mina)]
    browser = world.app.test_client()
    browser.set_cookie(ours, good, path="/r/")
    assert len(touches(world, token_of(follow(browser, mina)))) == 2
    # Each program has its own: clicks of another one leave it alone, and go into none of ours.
    for of, code, many in ((other, foreign, 1), (world, mina, 3), (other, foreign, 2)):
        assert len(touches(of, token_of(follow(browser, code)))) == many
    # Among what a page has set besides.
    alone, kept = world.app.test_client(use_cookies=False), f"{ours}={good}"
    for around in (f"a=b; {kept}", f'x{kept};{kept};b="c"', f"{theirs}=1; {kept}"):
        answer = alone.get(f"/r/{mina}", headers={"User-Agent": PERSON, "Cookie": around})
        assert len(touches(world, token_of(answer))) == 2, around
    with world.app.app_context(), pytest.raises(signing.BadTokenError):
        tokens.read(good, program_id(other), now=0)
