"""Settings: every environment variable that Dangol reads, in one place."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_KNOWN_KEYS = {"dev", "secret", "changeme", "change-me", "development", "test", "password"}
SECRET_KEY_MIN = 32


class SettingsError(ValueError):
    """A setting that the application refuses to start with; the message says what to set."""


@dataclass(frozen=True)
class Settings:
    """Resolved settings. `Settings.from_env()` reads them; tests build them directly."""

    database_url: str
    secret_key: str
    secret_key_fallbacks: tuple[str, ...] = ()
    base_url: str = "http://127.0.0.1:8000"
    #: Where unknown links lead; "" is a page that says so.
    link_fallback_url: str = ""
    #: How many proxies of ours stand in front and append to X-Forwarded-For.
    trusted_proxies: int = 0
    log_level: str = "info"
    server_threads: int = 4
    server_workers: int = 0
    statement_timeout_ms: int = 15_000
    lock_timeout_ms: int = 10_000
    is_production: bool = False
    #: Where workers are woken; "" is a file beside the database.
    queue_url: str = ""
    #: Networks that webhooks may call although they are not public; http is allowed inside them.
    webhook_allowed_cidrs: tuple[str, ...] = ()
    webhook_timeout_seconds: int = 15
    webhook_threads: int = 32
    #: Wrong voucher codes that a member or an address may try within so many seconds; and a
    #: server's key that names neither.
    voucher_guesses: int = 10
    voucher_guess_seconds: int = 900
    voucher_guesses_per_key: int = 1_000

    @classmethod
    def from_env(cls, environ: dict[str, str] | None = None) -> "Settings":
        """Read the environment; SettingsError when production would start unsafely."""
        env = dict(os.environ) if environ is None else environ
        is_production = env.get("DANGOL_ENV", "development") == "production"
        secret_key = env.get("SECRET_KEY", "")
        if is_production:
            _check_secret_key(secret_key)
        crash_at(env)
        fallbacks = tuple(key for key in env.get("SECRET_KEY_FALLBACKS", "").split(",") if key)
        database_url = _database_url(env.get("DATABASE_URL", ""))
        is_sqlite = database_url.startswith("sqlite")
        return cls(
            database_url=database_url,
            secret_key=secret_key or _development_key(),
            secret_key_fallbacks=fallbacks,
            base_url=env.get("BASE_URL", "http://127.0.0.1:8000").rstrip("/"),
            link_fallback_url=_page(env.get("LINK_FALLBACK_URL", "")),
            trusted_proxies=_number(env, "TRUSTED_PROXIES", 0, least=0, most=10),
            log_level=env.get("LOG_LEVEL", "info").lower(),
            server_threads=_number(env, "SERVER_THREADS", 16 if is_sqlite else 4, least=1, most=64),
            server_workers=_number(env, "SERVER_WORKERS", 0, least=0, most=64),
            statement_timeout_ms=_number(env, "STATEMENT_TIMEOUT_MS", 15_000, least=100),
            lock_timeout_ms=_number(
                env, "LOCK_TIMEOUT_MS", 3_000 if is_sqlite else 10_000, least=10
            ),
            is_production=is_production,
            queue_url=_queue_url(env.get("QUEUE_URL", "")),
            webhook_allowed_cidrs=_cidrs(env.get("WEBHOOK_ALLOWED_CIDRS", "")),
            webhook_timeout_seconds=_number(env, "WEBHOOK_TIMEOUT_SECONDS", 15, least=1, most=60),
            webhook_threads=_number(env, "WEBHOOK_THREADS", 32, least=2, most=256),
            voucher_guesses=_number(env, "VOUCHER_GUESSES", 10, least=1),
            voucher_guess_seconds=_number(env, "VOUCHER_GUESS_SECONDS", 900, least=15, most=86_400),
            voucher_guesses_per_key=_number(env, "VOUCHER_GUESSES_PER_KEY", 1_000, least=1),
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database_url.startswith("sqlite")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The key that signs now, then those still accepted."""
        return (self.secret_key, *self.secret_key_fallbacks)


def crash_at(env: Mapping[str, str]) -> tuple[str, int]:
    """The failpoint at which a test lets the process die, and at which time; "" without one."""
    name, _, time = env.get("CRASH_AT", "").partition(":")
    if name and env.get("DANGOL_ENV", "development") == "production":
        raise SettingsError("CRASH_AT is for tests: it kills the process. Unset it.")
    if time and not (time.isdecimal() and int(time)):
        raise SettingsError("CRASH_AT is a failpoint's name, or name:3 for the third time.")
    return name, int(time or 1)


def _check_secret_key(key: str) -> None:
    advice = 'Set it to the output of: python -c "import secrets; print(secrets.token_urlsafe(48))"'
    if not key:
        raise SettingsError(f"SECRET_KEY is missing. {advice}")
    if len(key) < SECRET_KEY_MIN or key.lower() in _KNOWN_KEYS or len(set(key)) < 8:
        raise SettingsError(f"SECRET_KEY is too short or well known. {advice}")


def _database_url(url: str) -> str:
    if not url:
        path = Path("var/dangol.db").absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{path}"
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url[len(scheme) :]
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise SettingsError(
            "DATABASE_URL must start with sqlite:/// or postgresql+psycopg://; "
            f"it starts with {url.split(':', 1)[0]!r}."
        )
    return url


def _queue_url(url: str) -> str:
    schemes = ("sqlite:///", "postgresql://", "redis://", "rediss://")
    if url and not url.startswith(schemes):
        raise SettingsError(
            f"QUEUE_URL must start with one of {', '.join(schemes)}; "
            f"it starts with {url.split(':', 1)[0]!r}."
        )
    return url


def _page(url: str) -> str:
    if url and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+([/?#][!-~]*)?", url):
        raise SettingsError(
            "LINK_FALLBACK_URL must be an address that starts with http:// or https://, in ASCII; "
            f"it is {url!r}."
        )
    return url


def _cidrs(text: str) -> tuple[str, ...]:
    """Networks separated by commas, such as 10.1.0.0/16,fd00::/8."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in found:
        try:
            ipaddress.ip_network(part)
        except ValueError as error:
            raise SettingsError(f"WEBHOOK_ALLOWED_CIDRS must hold networks: {error}.") from None
    return found


def _development_key() -> str:
    """A key of this checkout's own, kept in var/, so that a restart keeps what it signed."""
    path = Path("var/development-secret-key")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(os.urandom(32).hex())
        path.chmod(0o600)
    return path.read_text().strip()


def _number(
    env: dict[str, str], name: str, default: int, *, least: int, most: int = 86_400_000
) -> int:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise SettingsError(f"{name} must be an integer from {least} to {most}; it is {text!r}.")
    return value
