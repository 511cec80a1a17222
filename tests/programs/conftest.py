"""A world for tests that must change nothing in it: one a module, however many cases there are."""

import pytest
from flask import Flask

from tests.world import World


@pytest.fixture(scope="module")
def still(app: Flask) -> World:
    """The world of `world`, shared."""
    made = World(app)
    made.member("mina")
    made.member("jun")
    return made
