"""Tokens of clicks: the evidence of who was led to the landing page by whose link.

Owns what a token carries: the program, and a visitor's last touches, each with its instant. It is
signed and stored nowhere: whoever brings it back, with a signup or an order, says which clicks led
there. It ends after the longest window that any offer may have, by the program's clock; which of
its clicks still count is judged by their own offers' windows, by whoever attributes. Refuses
secrets: anyone can read one.
"""

import base64
import binascii
from collections.abc import Sequence

from core import clock, signing
from referrals.touches import Touch

PURPOSE = "click"
#: How many touches a token carries: with more, the oldest are dropped.
TOUCHES_MAX = 5
#: No offer's window is longer.
LIFETIME = 366 * 86_400 * clock.SECOND
#: The longest that a token is, in characters.
LENGTH_MAX = 1_500


def make(program_id: bytes, touches: Sequence[Touch], *, expires_at: int) -> str:
    """A token over the last of these touches, the oldest first, that ends at an instant."""
    values = [_text(program_id), *map(_written, touches[-TOUCHES_MAX:])]
    return signing.sign(PURPOSE, values, expires_at=expires_at)


def read(token: str, program_id: bytes, *, now: int) -> list[Touch]:
    """The touches of a token, the oldest first; signing.BadTokenError when it is none of this
    program's, ExpiredTokenError when it was and is over."""
    if len(token) > LENGTH_MAX or not token.isascii():
        raise signing.BadTokenError
    expires_at, values = signing.opened(PURPOSE, token)
    try:
        of_program, *written = values
        touches = [_read(one) for one in written]
    except (ValueError, TypeError, binascii.Error):
        raise signing.BadTokenError from None
    if of_program != _text(program_id):
        raise signing.BadTokenError
    if now >= expires_at:
        raise signing.ExpiredTokenError
    return touches


def chained(earlier: Sequence[Touch], touch: Touch) -> list[Touch]:
    """A visitor's touches with one more, by time, as many as a token carries. Of one link only the
    first and the last touch are kept: who clicks the same again and again drops nobody else's."""
    if not earlier:
        return [touch]
    ordered = sorted([*earlier, touch], key=lambda one: one.clicked_at)
    first = {one.link_id: at for at, one in reversed(list(enumerate(ordered)))}
    last = {one.link_id: at for at, one in enumerate(ordered)}
    kept = sorted({*first.values(), *last.values()})
    return [ordered[at] for at in kept][-TOUCHES_MAX:]


def _written(touch: Touch) -> str:
    visitor = "" if touch.visitor is None else _text(touch.visitor)
    return (
        f"{_text(touch.link_id)},{touch.version},{touch.switches},{touch.channel or ''},"
        f"{touch.clicked_at},{visitor}"
    )


def _read(text: str) -> Touch:
    link_id, version, switches, channel, clicked_at, visitor = text.split(",")
    return Touch(
        link_id=_bytes(link_id),
        version=int(version),
        switches=int(switches),
        channel=channel or None,
        clicked_at=int(clicked_at),
        visitor=_bytes(visitor) if visitor else None,
    )


def _text(value: bytes) -> str:
    return signing.written(value).decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
