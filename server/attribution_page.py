"""The page of docs on how attribution decides, from the tables that the code decides by.

Written by `server.reference_pages`. Refuses to be edited by hand.
"""

from collections.abc import Iterable

from core.language import LANGUAGES
from programs.referrals import SIGNALS
from referrals.attribution import EARLIER, LATER, METHODS, SECOND
from storefront.referring.attribution import answering
from storefront.referring.attribution.attributing import REFUSED
from storefront.referring.attribution.evidence import NOBODY

_CHOICE = """\
One referral, one advocate: of all evidence that comes with a signup or an order, the strongest
method wins. Within a method that is a touch the last one wins, or the first one where the offer of
the latest touch says `first_touch`; of equal instants the one that was told later. A code that was
typed beats any click, also a later one. Whoever may not bring the friend (see below) is passed
over, and the next candidate wins. Every candidate that lost is kept with why, in
`GET /v1/referrals/{id}`: ids, instants and channels, nobody's data."""

_TIME = """\
- **Windows** are half-open and elapsed: a click counts while the signup or the order came less than
  the offer's `click_window` after it, whatever the clocks of a zone did meanwhile. What counts is
  when things happened, however late they are told: an order's `placed_at`, a new member's
  `joined_at`. A member who was known before is told now; what they clicked until they joined is of
  their signup.
- **The offer is pinned** at the click: later versions and pauses change nothing for whoever clicked
  before. A typed code takes the offer that is live when it is told. Levels (`tiers`) are asked of
  the advocate as of now.
- **The referral's instant** is the click's, else that of the signup or order that told the code.
  Who bought before that instant is no new member; orders placed since then may qualify."""

_NEW = """\
A paid order of the same person before the referral's instant makes them no new member, unless it is
older than `new_member.lookback`, or was wholly refunded or cancelled by then. One person is whoever
has the same canonical e-mail address or telephone number, as member or in an order's `contact`;
history counts. So does a person who was erased, as long as they are remembered (`tombstone_for`):
erasing oneself makes nobody new. Contacts are compared by keyed digests; none is kept in clear."""

_ONCE = """\
A friend is bound once per program. Told again, the same evidence answers the same; evidence of
another advocate answers with what is bound, changes nothing, and the problem `ALREADY_REFERRED`
says so. Evidence that was refused binds nobody: later evidence that counts still may, in the same
referral, and its log tells both.

An order without member leaves its evidence for whoever claims it, and for whoever signs up or
orders with the same contact. Members and orders that are moved in as history are brought by nobody.
By device (`visitor.device`) earlier clicks are found; by network and browser nobody is attributed,
since others share both."""


def page() -> str:
    """The whole page."""
    return "\n\n".join(
        (
            "# How attribution decides",
            "Who brought whom, and by which evidence. The table is the one that the code decides"
            " by; the strongest method comes first.",
            _table(
                ("rank", "method", "touch", "in English", "in Korean"),
                (
                    (
                        str(rank),
                        f"`{method.key}`",
                        "yes" if method.is_touch else "no",
                        *(method.meaning[one] for one in LANGUAGES),
                    )
                    for rank, method in enumerate(METHODS, start=1)
                ),
            ),
            _CHOICE,
            "## Time",
            _TIME,
            "## Who is new",
            _NEW,
            "## Once",
            _ONCE,
            "## What is refused, and what a candidate lost by",
            "The storefront is answered the reason; `message` is what it may show the friend, and"
            " never hints at a suspicion.",
            _table(
                ("reason", "meaning", "message in English", "message in Korean"),
                (
                    (
                        f"`{reason}`",
                        meaning,
                        *(answering.message("rejected", reason)[one] for one in LANGUAGES),
                    )
                    for reason, meaning in (REFUSED | NOBODY).items()
                ),
            ),
            _lost(),
            "## What makes a referral suspicious",
            "The last step of binding is the score (`review` of the offer): one that reaches"
            " `block_at_bp` is refused as `SELF_REFERRAL`, one that reaches `review_at_bp` waits"
            " for a person. No signal decides alone unless its weight does.",
            _table(
                ("signal", "weight by default", "meaning"),
                (
                    (f"`{name}`", f"{weight // 100} %", meaning)
                    for name, (weight, meaning) in SIGNALS.items()
                ),
            ),
            "Written by `make reference` from the code; a change there changes this page.\n",
        )
    )


def _lost() -> str:
    whys = ", ".join(f"*{one}*" for one in (EARLIER, LATER, SECOND))
    return f"A candidate that counted and lost says *outranked by* the winner's method, or {whys}."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
