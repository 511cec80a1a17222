"""Settings come from the environment, and production refuses to start unsafely."""

from pathlib import Path

import pytest

from config import Settings, SettingsError

GOOD = "k3y-of-this-instance-0123456789-ABCDEFG"
DATABASE = {"DATABASE_URL": "sqlite:////srv/dangol.db"}


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "dev",
        "secret",
        "changeme",
        "password",
        "x" * 64,
        "abcabcabc" * 8,
        "0123456789abcdef0123456789abcde",
        "changeme" * 8,
    ],
)
def test_production_refuses_a_missing_short_or_well_known_key(key: str | None) -> None:
    env = {"DANGOL_ENV": "production"} | DATABASE | ({} if key is None else {"SECRET_KEY": key})
    with pytest.raises(SettingsError, match=r"SECRET_KEY.*secrets\.token_urlsafe") as refused:
        Settings.from_env(env)
    assert not key or len(key) < 9 or key not in str(refused.value)


def test_production_starts_with_a_good_key() -> None:
    settings = Settings.from_env({"DANGOL_ENV": "production", "SECRET_KEY": GOOD} | DATABASE)
    assert settings.is_production
    assert settings.secret_keys == (GOOD,)


def test_earlier_keys_are_still_accepted() -> None:
    env = {"SECRET_KEY": GOOD, "SECRET_KEY_FALLBACKS": "older,,oldest"} | DATABASE
    assert Settings.from_env(env).secret_keys == (GOOD, "older", "oldest")


def test_development_keeps_a_key_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = Settings.from_env({}), Settings.from_env({})
    assert one.secret_key == other.secret_key
    assert len(one.secret_key) == 64
    assert (tmp_path / "var/development-secret-key").stat().st_mode & 0o077 == 0
    assert one.database_url == f"sqlite:///{tmp_path}/var/dangol.db"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@db/dangol", "postgresql+psycopg://u:p@db/dangol"),
        ("postgres://u:p@db/dangol", "postgresql+psycopg://u:p@db/dangol"),
        ("postgresql+psycopg://u:p@db/dangol", "postgresql+psycopg://u:p@db/dangol"),
        ("sqlite:////srv/dangol.db", "sqlite:////srv/dangol.db"),
    ],
)
def test_the_database_is_named_the_usual_way(given: str, used: str) -> None:
    settings = Settings.from_env({"DATABASE_URL": given, "SECRET_KEY": GOOD})
    assert settings.database_url == used
    assert settings.is_sqlite == given.startswith("sqlite")


@pytest.mark.parametrize("url", ["mysql://u:hunter2@db/dangol", "dangol.db"])
def test_another_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        Settings.from_env({"DATABASE_URL": url, "SECRET_KEY": GOOD})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER_THREADS", "0"),
        ("SERVER_THREADS", "65"),
        ("SERVER_THREADS", "many"),
        ("SERVER_WORKERS", "-1"),
        ("LOCK_TIMEOUT_MS", "9"),
        ("STATEMENT_TIMEOUT_MS", "1.5"),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: value, "SECRET_KEY": GOOD} | DATABASE)
