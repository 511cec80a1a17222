"""`examples/referral.py` plays its story against a served instance, with the numbers it should."""

from pathlib import Path

from tests.examples.playing import check, play

# By hand. 40.00 are 10.00 short of 50.00. Approved, Anna has 500 and Ben 300. Of 60.00 come back
# 30.00: the 30.00 that are left are less than the minimum, so the 800 of both go.
STORY = (
    "Anna's code has 8 symbols",
    "the preview gets no token",
    "Ben signs up: identified",
    "40.00: BELOW_MIN, 10.00 EUR are missing",
    "60.00: on_hold",
    "Anna's second mailbox: rejected, SELF_REFERRAL",
    "a guesser: rejected, NOT_FOUND",
    "a forger: rejected, UNKNOWN_TOKEN",
    "after fourteen days Anna has 500 and Ben 300",
    "a refund of 30.00 would take back 800 points",
    "after it Anna has 0 and Ben 0",
    "identified > qualified > on_hold > approved > rewarded > clawed_back",
)


def test_the_referral_example_plays_its_story(tmp_path: Path) -> None:
    check(play("referral", tmp_path), STORY)
