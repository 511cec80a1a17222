"""The command line's programs: made and listed, and their documents as YAML in files."""

import json
import operator
from dataclasses import dataclass
from typing import Any, NoReturn

import click
import sqlalchemy as sa
from flask.cli import AppGroup, with_appcontext

from core import auth, clock, db, http, ids, jsontext
from core.errors import FieldError, Problem
from core.fields import Text, described
from programs import checking, creation, defaults, drafts, exchange, versions
from programs.models import Program
from programs.schemas import PublishBody
from server.reporting import reporting


class _SaidBody(PublishBody):
    """What an import says of itself."""

    actor = described(Text, "Who imports it.", most=128)


_SAID = _SaidBody()
group = AppGroup("program", help="Programs of this instance.")
_PROGRAM = click.option("--program", required=True, help="Program id.")


def program_id_of(text: str) -> bytes:
    """The program of an option."""
    found = ids.read_id("prg", text)
    if found is None:
        raise click.ClickException(f"{text!r} is no program id; it looks like prg_01…")
    return found


@group.command("create")
@click.option("--name", required=True, help="Name of the program.")
@click.option("--timezone", default=None, help="IANA zone; default Asia/Seoul.")
@click.option("--currency", default=None, help="ISO 4217 code; default KRW.")
@click.option("--mode", type=click.Choice(["test", "live"]), default="test", show_default=True)
@click.option("--document", type=click.File("rb"), help="A program document in JSON; it wins.")
@click.option("--json", "is_json", is_flag=True, help="Print one line of JSON.")
@with_appcontext
def create_program(
    *,
    name: str,
    timezone: str | None,
    currency: str | None,
    mode: auth.Mode,
    document: Any,
    is_json: bool,
) -> None:
    """Create a program with keys that work at once."""
    if document is not None:
        try:
            body = json.load(document)
        except ValueError as error:
            raise click.ClickException(f"--document is not JSON: {error}") from None
        if isinstance(body, dict):
            given = {"name": name, "timezone": timezone, "currency": currency}
            for field, value in given.items():
                if value is not None:
                    body.setdefault(field, value)
    else:
        body = defaults.document(name, timezone or "Asia/Seoul", currency or "KRW")
    with reporting():
        made = creation.create(body, mode=mode)
    if is_json:
        click.echo(json.dumps(made))
        return
    for label, value in made.items():
        click.echo(f"{label:16} {value}")
    click.echo("The keys are shown this once.")


@group.command("list")
@with_appcontext
def list_programs() -> None:
    """List the programs of this instance."""
    statement = sa.select(Program).order_by(Program.created_at)
    with reporting():
        rows = db.reading(lambda one: list(one.execute(statement)))
    for row in rows:
        shown = ids.show_id("prg", bytes(row.program_id))
        click.echo(f"{shown}  {row.mode}  version {row.live_version}  {row.name}")


def _stored(connection: sa.Connection, program_id: bytes, version: int | None) -> dict[str, Any]:
    """The document of a version, the live one when none is named."""
    if version is None:
        version = versions.get_live(connection, program_id)[0].version
    row = versions.get_version(connection, program_id, version)
    document: dict[str, Any] = jsontext.parse(row.document)
    return document


@group.command("export")
@_PROGRAM
@click.option("--version", type=click.IntRange(1, 2**31 - 1), help="Default: what is published.")
@click.option("--draft", "is_draft", is_flag=True, help="The draft.")
@click.argument("file", type=click.File("wb", lazy=True), default="-")
@with_appcontext
def export_document(*, program: str, version: int | None, is_draft: bool, file: Any) -> None:
    """Write a document as YAML, to FILE or the terminal."""
    if is_draft and version is not None:
        raise click.UsageError("give --version or --draft, not both")
    program_id = program_id_of(program)

    def read(connection: sa.Connection) -> dict[str, Any]:
        if is_draft:
            return drafts.read(connection, program_id)[0]
        return _stored(connection, program_id, version)

    with reporting():
        document = db.reading(read)
    file.write(exchange.write(document).encode())


@group.command("import")
@_PROGRAM
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", "is_dry", is_flag=True, help="Only say what would change.")
@click.option("--publish", "is_publishing", is_flag=True, help="Publish the draft as well.")
@click.option("--note", help="Why; needed by --publish.")
@click.option("--approver", help="Who approved it, somebody else than --actor.")
@click.option("--actor", help="Who imports it.")
@with_appcontext
def import_document(
    *,
    program: str,
    file: Any,
    is_dry: bool,
    is_publishing: bool,
    note: str | None,
    approver: str | None,
    actor: str | None,
) -> None:
    """Make a document in YAML (or JSON) the draft; what is wrong is named with its line."""
    if is_publishing != bool(note):
        raise click.UsageError("--publish and --note go together")
    if approver and not is_publishing:
        raise click.UsageError("--approver goes with --publish")
    program_id = program_id_of(program)
    said = {"note": note or "import", "actor": actor, "approver": approver}
    with reporting():
        # As over HTTP.
        http.load(_SAID, {name: text for name, text in said.items() if text is not None})
    source = _read(file)

    def work(connection: sa.Connection) -> tuple[_Beside, int | None]:
        draft, _ = drafts.read(connection, program_id)
        _, now = versions.get_live(connection, program_id)
        live = _stored(connection, program_id, None)
        beside = _Beside(draft, live, now)
        if is_dry:
            versions.validate(source.document)
            return beside, None
        drafts.write(connection, program_id, lambda _: source.document, if_match=None, actor=actor)
        if not is_publishing or exchange.write(live) == exchange.write(source.document):
            return beside, None
        made = versions.publish(connection, program_id, note=note, actor=actor, approver=approver)
        return beside, made["version"]

    with reporting():
        try:
            beside, version = db.in_transaction(work)
        except Problem as problem:
            if problem.code != "validation_failed" or _is_about_options(problem.errors):
                raise
            _refuse(file.name, source, problem.errors)
    _tell(file.name, source, beside)
    if version is not None:
        click.echo(f"published as version {version}")
    elif is_publishing:
        click.echo("the published version says the same already; nothing was published")


@dataclass(frozen=True, slots=True)
class _Beside:
    """What an imported document is told beside: the draft and the published document before it,
    and the program's clock."""

    draft: dict[str, Any]
    live: dict[str, Any]
    now: clock.Instant


def _tell(name: str, source: exchange.Source, beside: _Beside) -> None:
    """What has changed, and what is probably not meant, with its lines."""
    found = exchange.changes(beside.draft, source.document)
    for change in found:
        click.echo(change.shown())
    if not found:
        click.echo("nothing changed")
    for one in checking.check(source.document, now=beside.now, live=beside.live)[1]:
        place = f"{name}:{source.line_of(one.pointer)}: {one.pointer or '/'}"
        click.echo(f"warning: {place}: {one.detail} ({one.code})", err=True)


def _is_about_options(errors: list[FieldError]) -> bool:
    return any(one.pointer == "/approver" for one in errors)


def _read(file: Any) -> exchange.Source:
    try:
        return exchange.read(file.read(exchange.SIZE_MAX + 1))
    except exchange.MalformedYaml as error:
        raise click.ClickException(f"{file.name}:{error.line}: {error.detail}") from None


def _refuse(name: str, source: exchange.Source, errors: list[FieldError]) -> NoReturn:
    """Every finding with its line, in the order of the lines."""
    found = sorted(
        ((source.line_of(one.pointer), one) for one in errors), key=operator.itemgetter(0)
    )
    lines = [f"{name}:{line}: {one.pointer or '/'}: {one.detail}" for line, one in found]
    raise click.ClickException("\n".join(lines))


@group.command("diff")
@_PROGRAM
@click.argument("a")
@click.argument("b")
@with_appcontext
def diff_documents(*, program: str, a: str, b: str) -> None:
    """Compare two documents: A and B are each a version's number, `draft` or a FILE in YAML.

    First what was added, removed and changed, items by their keys; then the lines of the YAML.
    """
    program_id = program_id_of(program)
    with reporting():
        old, new = db.reading(
            lambda connection: tuple(_side(connection, program_id, one) for one in (a, b))
        )
    found = exchange.changes(old, new)
    for change in found:
        click.echo(change.shown())
    lines = list(exchange.unified(old, new, names=(a, b)))
    if lines:
        click.echo()
    for line in lines:
        click.echo(line)
    if not found and not lines:
        click.echo("no difference")


def _side(connection: sa.Connection, program_id: bytes, name: str) -> dict[str, Any]:
    if name == "draft":
        return drafts.read(connection, program_id)[0]
    if name.isdecimal() and len(name) < 10:
        return _stored(connection, program_id, int(name))
    try:
        with open(name, "rb") as file:
            document = _read(file).document
    except OSError as error:
        raise click.ClickException(
            f"{name!r} is no version, not `draft`, and no file: {error.strerror}"
        ) from None
    if not isinstance(document, dict):
        raise click.ClickException(f"{name}:1: a document is a list of names and values")
    return document
