"""`flask replay`: a real year of orders through HTTP, into a program of its own.

Owns choosing the instance and the program, and the exit status. Refuses to migrate: a database
that is not ready is said to be so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
from flask import current_app

from config import Settings
from server.replay import dataset, driver, instance
from server.replay.check import IndependentCheck
from server.replay.connection import Connection, Tally
from server.replay.dataset import RefundChoice
from server.replay.errors import ReplayError
from server.replay.messages import Request
from server.replay.program import DOCUMENT

#: What decides points; the name and the languages of the given program are its own affair.
_DECISIVE: Final = ("timezone", "currency", "points", "earning", "cards", "tiers")


def run(
    *,
    data_set: str,
    weeks: int | None,
    url: str | None,
    secret_key: str | None,
    order: driver.Mode,
    workers: int,
    refund_bp: int,
    seed: int,
    shuffle: bool,
    check: bool,
) -> int:
    """Replay and print the report; 0 when every answer was as a shop hopes and the check held."""
    if url is not None and secret_key is None:
        raise click.UsageError(
            "--url needs --secret-key, the key of a program of that instance with the document of "
            "the replay. Make one there:\n"
            f"  flask replay {data_set} --print-document"
            ' | flask program create --name "Complete Journey" --document - --json'
        )
    refund = RefundChoice(seed, refund_bp) if refund_bp else None
    try:
        progress("reading the data set")
        journey = dataset.load(weeks)
        comparing = IndependentCheck(weeks, refund) if check else None
        with _instance(url, secret_key) as (address, key):
            report = driver.replay(
                journey,
                url=address,
                secret_key=key,
                order=order,
                shuffle_seed=seed if shuffle else None,
                refund=refund,
                workers=workers,
                progress=progress,
                on_pass=comparing or (lambda _: None),
            )
    except ReplayError as error:
        click.echo(str(error), err=True)
        return 1
    click.echo(report.text())
    if comparing is not None:
        click.echo(
            f"checked: the balances of all {report.members} members equal the independent "
            f"computation, passes checked: {len(report.passes)}"
        )
    return 1 if report.problem_count else 0


def progress(text: str) -> None:
    """Tell how it goes, apart from the report."""
    click.echo(text, err=True)


@contextmanager
def _instance(url: str | None, secret_key: str | None) -> Iterator[tuple[str, str]]:
    """The address and key to replay with: those given, or an instance and program of our own."""
    if url is not None and secret_key is not None:
        _refuse_other_document(url, secret_key)
        yield url, secret_key
        return
    port = instance.free_port()
    address = f"http://{instance.HOST}:{port}"
    progress(f"serving on {address}")
    # Ready means migrated, so nothing is written into a database that is not.
    with instance.served(environment(), port=port):
        if secret_key is None:
            secret_key = create_program()
        else:
            _refuse_other_document(address, secret_key)
        yield address, secret_key


def environment() -> dict[str, str]:
    """The variables by which another process works on the database of this one."""
    settings: Settings = current_app.extensions["dangol.settings"]
    return {"DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key}


def create_program() -> str:
    """Make a program with the document of the replay; its secret key."""
    from programs import creation

    made = creation.create(DOCUMENT, mode="test")
    progress(f"program {made['program_id']}, key {made['secret_key']}")
    return made["secret_key"]


def _refuse_other_document(url: str, secret_key: str) -> None:
    """Points under another document would mean nothing, and the orders would stay in it."""
    connection = Connection(url, secret_key, Tally())
    try:
        answer = connection.send(Request("GET", "/v1/program"))
    finally:
        connection.close()
    if answer.status != 200:
        raise ReplayError(f"The program of the key cannot be read: {answer.text()}")
    document = answer.body["document"]
    other = [name for name in _DECISIVE if document.get(name) != DOCUMENT[name]]
    if other:
        raise ReplayError(
            f"The program of the key does not have the document of the replay: {', '.join(other)} "
            "differ. Make one with `flask replay completejourney --print-document` and "
            "`flask program create --document FILE`."
        )
