"""Attribution: which of several pieces of evidence says who brought a friend.

Pure. Owns the methods and their ranks (`docs/attribution.md` is written from them), windows, and
the choice between clicks. Every candidate that loses keeps why. Refuses to know people: whether
somebody may be brought by somebody is asked of whoever knows
(`storefront.referring.attribution.attributing`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

from core import clock
from core.language import Text

Touching = Literal["last_touch", "first_touch"]
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Method:
    """A way in which an advocate becomes known. A touch counts within the offer's window only, and
    among touches of one method the last one or the first one wins."""

    key: str
    is_touch: bool
    meaning: Text


#: The strongest first.
METHODS: tuple[Method, ...] = (
    Method(
        "manual",
        False,
        {
            "en": "What a reviewer decided stands over any evidence.",
            "ko": "담당자의 결정은 어떤 증거보다 우선합니다.",
        },
    ),
    Method(
        "bound",
        False,
        {
            "en": "The friend is an advocate's already: once, for the whole program.",
            "ko": "이미 추천인이 정해져 있습니다. 프로그램마다 한 번만 정해집니다.",
        },
    ),
    Method(
        "code",
        False,
        {
            "en": "The friend typed the advocate's code, with the signup or the order. One that the"
            " advocate chose counts as `referral.code` alone: as a code of the order it may be the"
            " storefront's own coupon.",
            "ko": "가입하거나 주문할 때 추천 코드를 입력했습니다. 추천인이 직접 정한 코드는"
            " `referral.code`로 전달될 때만 인정됩니다.",
        },
    ),
    Method(
        "voucher",
        False,
        {
            "en": "The order names a voucher that an advocate's earlier friend was rewarded with.",
            "ko": "추천으로 지급된 친구 쿠폰이 주문에 쓰였습니다.",
        },
    ),
    Method(
        "token",
        True,
        {
            "en": "The friend clicked the advocate's link; the click's token, or the device, says"
            " so.",
            "ko": "추천 링크를 눌렀습니다. 클릭 토큰이나 기기로 확인됩니다.",
        },
    ),
    Method(
        "contact",
        True,
        {
            "en": "A guest with the same e-mail address or telephone number came by the advocate's"
            " link or code before.",
            "ko": "같은 이메일이나 전화번호의 비회원이 전에 추천 링크나 코드로 왔습니다.",
        },
    ),
)
#: In the evidence of a referral: that whoever brought it by hand knew what speaks against it.
CONFIRMED = "is_confirmed"
_TOUCHES = frozenset(method.key for method in METHODS if method.is_touch)
#: Why a candidate lost, beside the reasons for which evidence is refused.
EARLIER, LATER, SECOND = "earlier click", "later click", "another came first"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One piece of evidence: which advocate, by which link and offer, since when.

    `at` is the click's instant where there `is_click`, else that of what was told with it;
    `version` and `switches` pin the offer; `refusal` is why it does not count, if so.
    """

    method: str
    advocate_id: bytes
    offer_key: str
    version: int
    switches: int
    at: int
    link_id: bytes | None = None
    channel: str | None = None
    is_click: bool = False
    touching: Touching = "last_touch"
    refusal: str | None = None
    #: Where it was told, as problems point to it; None where the storefront did not tell it now.
    pointer: str | None = None

    @property
    def clicked_at(self) -> int | None:
        """When the link was clicked, if it was."""
        return self.at if self.is_click else None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who won, and everybody else with why not. A winner with a `refusal` is the strongest of
    those that were refused: nobody else is left."""

    winner: Candidate
    losing: tuple[tuple[Candidate, str], ...]


def is_within(clicked_at: int, window: clock.Duration, at: int) -> bool:
    """Whether a click still counts at an instant: half-open and elapsed (SEMANTICS F41)."""
    return at < clock.after(clicked_at, window, _UTC)


def choose(
    candidates: Sequence[Candidate], refused: Callable[[Candidate], str | None] = lambda _: None
) -> Choice:
    """Choose among candidates, given in the order in which they were told; at least one.
    `refused` is asked of whoever would win: why they may not, or None."""
    ordered = _ordered([one for one in candidates if one.refusal is None])
    out = [one for one in candidates if one.refusal is not None]
    while ordered:
        best, *rest = ordered
        why = refused(best)
        if why is None:
            losing = [(one, _why(best, one)) for one in rest]
            return Choice(best, (*losing, *((one, one.refusal or "") for one in out)))
        out.append(replace(best, refusal=why))
        # Without it another click may be the latest, and its offer decides.
        ordered = _ordered(rest)
    best, *rest = _ordered(out)
    return Choice(best, tuple((one, one.refusal or "") for one in rest))


def _ordered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The strongest first; what was told later wins among touches of one instant."""
    found: list[Candidate] = []
    for method in METHODS:
        group = [one for one in candidates if one.method == method.key]
        if method.is_touch and group:
            by_time = [one for _, one in sorted(enumerate(group), key=lambda each: _key(*each))]
            # Clicks on several offers: by that of the latest one.
            is_first = by_time[-1].touching == "first_touch"
            group = by_time if is_first else by_time[::-1]
        found += group
    return found


def _key(place: int, one: Candidate) -> tuple[int, int]:
    return one.at, place


def _why(winner: Candidate, loser: Candidate) -> str:
    if loser.method != winner.method:
        return f"outranked by {winner.method}"
    if loser.method not in _TOUCHES:
        return SECOND
    return LATER if loser.at > winner.at else EARLIER
