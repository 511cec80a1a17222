"""What the operator sets for webhooks."""

import pytest

from config import Settings, SettingsError
from webhooks.sending import Outgoing

GIVEN = {"DATABASE_URL": "sqlite:///x.db", "SECRET_KEY": "0123456789abcdef" * 3}


def test_networks_times_and_threads_are_read() -> None:
    assert Outgoing.of(Settings.from_env(GIVEN)) == Outgoing(allowed=(), timeout=15, threads=32)
    made = Outgoing.of(
        Settings.from_env(
            GIVEN
            | {
                "WEBHOOK_ALLOWED_CIDRS": "10.1.0.0/16, fd00::/8,",
                "WEBHOOK_TIMEOUT_SECONDS": "20",
                "WEBHOOK_THREADS": "8",
            }
        )
    )
    assert [str(one) for one in made.allowed] == ["10.1.0.0/16", "fd00::/8"]
    assert (made.timeout, made.threads) == (20, 8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_ALLOWED_CIDRS", "10.1.0.1/16"),
        ("WEBHOOK_ALLOWED_CIDRS", "inside"),
        ("WEBHOOK_TIMEOUT_SECONDS", "0"),
        ("WEBHOOK_TIMEOUT_SECONDS", "61"),
        ("WEBHOOK_THREADS", "1"),
    ],
)
def test_what_cannot_be_is_refused_at_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(GIVEN | {name: value})
