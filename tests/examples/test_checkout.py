"""`examples/checkout.py` plays its story against a served instance, with the numbers it should."""

from pathlib import Path

from tests.examples.playing import check, play

# By hand. Joining pays 1,000. Two plates at 20.00 are 40.00: half of it is 20.00, so all of the
# 1,000 points may pay 10.00. Paid by card are 30.00 of goods: 30 points. Back comes one plate of
# two: half of the 1,000 points, and half of the 30. 30 + 500 - 15 = 515.
STORY = (
    "joins with 1000 points",
    "the cart would earn 40 points",
    "up to 1000 points pay 10.00 EUR, by 100",
    "1000 points are held until",
    "the order earned 30; 30 left",
    "a refund would return 500 points",
    "refunded: 500 points came back, 15 were taken back, 515 left",
)


def test_the_checkout_example_plays_its_story(tmp_path: Path) -> None:
    check(play("checkout", tmp_path), STORY)
