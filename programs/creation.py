"""Creating a program: its first version, and keys that work at once."""

from typing import Any

from core import auth, clock, db, ids
from programs import versions


def create(body: Any, *, mode: auth.Mode) -> dict[str, str]:
    """A program with its first version, a secret key with every scope and a publishable key."""

    def work(connection: Any) -> dict[str, str]:
        now = clock.system_now()
        document = versions.validate(body)
        program_id = versions.create_program(connection, document, mode=mode, now=now)
        _, secret_key = auth.issue_key(
            connection,
            program_id,
            kind="sk",
            mode=mode,
            name="first key",
            scopes=auth.SCOPES,
            now=now,
        )
        _, publishable_key = auth.issue_key(
            connection, program_id, kind="pk", mode=mode, name="first key", scopes=(), now=now
        )
        return {
            "program_id": ids.show_id("prg", program_id),
            "secret_key": secret_key,
            "publishable_key": publishable_key,
        }

    return db.in_transaction(work)
