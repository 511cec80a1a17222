"""`examples/surprise.py` plays its story against a served instance, with the numbers it should."""

from pathlib import Path

from tests.examples.playing import check, play

# By hand. The orders of 60.00 and 70.00 lose a draw of luck each, so that of 10.00 wins it; its
# whole refund takes it back, and leaves the gift of the first order and the hello.
STORY = (
    "Welcome to Surprise example, Anna: 300 points!",
    "60.00: Mug for you",
    "the same draw",
    "gift: cooldown. “A gift” comes again only after some time.",
    "luck: lost. “Lucky day” was not won this time.",
    "50 points! after 2 losses, by pity: True",
    "would take back: luck",
    "luck: taken_back",
    "gift: won",
    "hello: won",
    "90.00 brings 0 surprises",
    "published before the first draw",
)


def test_the_surprise_example_plays_its_story(tmp_path: Path) -> None:
    check(play("surprise", tmp_path), STORY)
