"""Rewards travel whole: a copy and a backup hold every redemption, code and grant, and codes are
shown and used there as long as SECRET_KEY is the same."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import Settings
from server import backup
from server.app import create_app
from tests.analytics.reports import hold
from tests.conftest import SECRET_KEY
from tests.server import reward_history
from tests.server.databases import empty, rows, run
from tests.server.test_copy import url_of
from tests.world import World

REPORTS = ("/reports/liability", "/reports/rewards")


def _asked(app: Flask, world: World, path: str) -> Any:
    """A read of a program in another database, by the same key."""
    headers = {"Authorization": f"Bearer {world.key}"}
    return app.test_client().get(f"/v1{path}", headers=headers)


def _check(app: Flask, world: World, target: Flask, code: str) -> None:
    assert rows(target) == rows(app)
    for path in REPORTS:
        assert _asked(target, world, path).json == world.get(path)
    assert _asked(target, world, f"/vouchers/{code}").json["code"] == code
    with target.app_context():
        done = run(target, "ledger", "verify")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_rewards_are_copied_and_restored(kind: str, tmp_path: Path, postgresql_url: str) -> None:
    with empty("sqlite", tmp_path, None) as app:
        world = reward_history.told(app)
        code = hold(world, reward="coupon")["voucher"]["code"]
        with empty(kind, tmp_path, postgresql_url) as target:
            done = run(app, "db-copy", "--to", url_of(target))
            assert done.exit_code == 0, done.output
            _check(app, world, target, code)
        path = tmp_path / "rewards.backup"
        with app.app_context():
            backup.write(path, (SECRET_KEY,))
        with empty(kind, tmp_path, postgresql_url) as target:
            with target.app_context():
                backup.restore(path, (SECRET_KEY,))
            _check(app, world, target, code)
            _check_another_key(target, world, code)


def _check_another_key(target: Flask, world: World, code: str) -> None:
    """With another key the codes are found no more and shown to nobody; nothing else is lost."""
    other = create_app(
        Settings(database_url=url_of(target), secret_key=SECRET_KEY[::-1], log_level="error")
    )
    assert _asked(other, world, f"/vouchers/{code}").status_code == 404
    listed = _asked(other, world, "/redemptions?member_ref=mina").json["data"]
    assert {one["voucher"]["code"] for one in listed if one["voucher"]} == {None}
    from core.db import db

    with other.app_context():
        db.engine.dispose()
