"""Addresses of the program: document, draft, versions, keys."""

from typing import Any

import sqlalchemy as sa
from flask import Response, request

from core import auth, clock, db, http, idempotency, ids, jsontext, paging
from core.errors import invalid_at, not_found
from programs import checking, drafts, schemas, switches, versions
from programs.document import DocumentSchema
from programs.models import Program

routes = http.Routes("program", __name__, url_prefix="/v1", description="The program document.")
keys = http.Routes("keys", __name__, url_prefix="/v1", description="API keys.")

_DOCUMENT = DocumentSchema()
_VERSION = schemas.VersionAnswer()
_ITEM = schemas.ItemAnswer()
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "ETag the change was made on; another one answers 409 `version_mismatch`.",
    "schema": {"type": "string"},
}


def _program_id() -> bytes:
    return auth.credential().program_id


def _with_etag(body: dict[str, Any], etag: str, status: int = 200) -> Response:
    response = Response(jsontext.write(body), status=status, mimetype="application/json")
    response.headers["ETag"] = etag
    return response


@routes.operation("GET", "/program", answers={200: schemas.ProgramAnswer()})
def get_program() -> dict[str, Any]:
    """The published document and its version."""
    program_id = _program_id()

    def read(connection: sa.Connection) -> dict[str, Any]:
        live, _ = versions.get_live(connection, program_id)
        row = versions.get_version(connection, program_id, live.version)
        mode = connection.execute(
            sa.select(Program.mode).where(Program.program_id == program_id)
        ).scalar_one()
        return {
            "id": ids.show_id("prg", program_id),
            "mode": mode,
            "version": row.version,
            "published_at": clock.format_instant(row.published_at),
            "switches": [
                switches.show(one)
                for one in reversed(
                    switches.in_force(connection, program_id, upto=live.switches).values()
                )
            ],
            "document": jsontext.parse(row.document),
        }

    return db.reading(read)


@routes.operation("GET", "/program/draft", answers={200: _DOCUMENT})
def get_draft() -> Response:
    """The draft; until first written it equals what is published."""
    return _with_etag(*db.reading(lambda connection: drafts.read(connection, _program_id())))


def _write_draft(change: Any) -> tuple[dict[str, Any], str]:
    program_id, actor = _program_id(), auth.actor()
    if_match = request.headers.get("If-Match")
    return db.in_transaction(
        lambda connection: drafts.write(
            connection, program_id, change, if_match=if_match, actor=actor
        )
    )


@routes.operation(
    "PUT",
    "/program/draft",
    answers={200: _DOCUMENT},
    body=_DOCUMENT,
    problems=(409,),
    parameters=(_IF_MATCH,),
)
def put_draft(**_: Any) -> Response:
    """Replace the draft."""
    document = http.read_body()
    return _with_etag(*_write_draft(lambda _: document))


@routes.operation(
    "PATCH",
    "/program/draft",
    answers={200: _DOCUMENT},
    problems=(409, 413, 415),
    parameters=(_IF_MATCH,),
)
def patch_draft() -> Response:
    """Change the draft by a patch: a list of RFC 6902 operations."""
    operations = http.read_body(also="application/json-patch+json")
    return _with_etag(*_write_draft(lambda document: drafts.patched(document, operations)))


@routes.operation("GET", "/program/draft/<section>/<key>", answers={200: _ITEM})
def get_draft_item(section: str, key: str) -> Response:
    """One keyed item of the draft."""

    def read(connection: sa.Connection) -> tuple[dict[str, Any], str]:
        document, etag = drafts.read(connection, _program_id())
        return drafts.find_item(document, section, key), etag

    return _with_etag(*db.reading(read))


@routes.operation(
    "PUT",
    "/program/draft/<section>/<key>",
    answers={200: _ITEM, 201: _ITEM},
    problems=(409, 413, 415),
    parameters=(_IF_MATCH,),
)
def put_draft_item(section: str, key: str) -> Response:
    """Put one keyed item into the draft."""
    item = http.read_body()
    is_new = True

    def put(old: dict[str, Any]) -> dict[str, Any]:
        nonlocal is_new
        is_new = all(one["key"] != key for one in switches.items_of(old, section))
        return drafts.with_item(old, section, key, item)

    document, etag = _write_draft(put)
    found = drafts.find_item(document, section, key)
    return _with_etag(found, etag, 201 if is_new else 200)


@routes.operation(
    "DELETE",
    "/program/draft/<section>/<key>",
    answers={200: _DOCUMENT},
    problems=(409,),
    parameters=(_IF_MATCH,),
)
def delete_draft_item(section: str, key: str) -> Response:
    """Take one keyed item out of the draft; answers the draft."""
    return _with_etag(*_write_draft(lambda old: drafts.without_item(old, section, key)))


@routes.operation(
    "POST", "/program/draft/check", answers={200: schemas.CheckAnswer()}, is_reading=True
)
def check_draft() -> dict[str, Any]:
    """Errors and warnings of the draft; writes nothing and needs no Idempotency-Key."""
    program_id = _program_id()

    def read(connection: sa.Connection) -> tuple[dict[str, Any], dict[str, Any], clock.Instant]:
        live, now = versions.get_live(connection, program_id)
        published = jsontext.parse(
            versions.get_version(connection, program_id, live.version).document
        )
        return drafts.read(connection, program_id)[0], published, now

    document, published, now = db.reading(read)
    errors, warnings = checking.check(document, now=now, live=published)
    return {
        "errors": [finding.shown() for finding in errors],
        "warnings": [finding.shown() for finding in warnings],
    }


@routes.operation(
    "POST",
    "/program/draft/publish",
    answers={200: _VERSION},
    body=schemas.PublishBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def publish_draft(body: dict[str, Any]) -> Response:
    """Make the draft the live version; every process decides by it at once."""
    program_id, actor = _program_id(), auth.actor()
    return idempotency.once(
        lambda connection: (
            versions.publish(
                connection,
                program_id,
                note=body["note"],
                actor=actor,
                approver=body.get("approver"),
            ),
            200,
        )
    )


@routes.operation(
    "GET", "/program/versions", answers={200: schemas.VersionsAnswer()}, query=paging.PageQuery()
)
def list_versions(query: dict[str, Any]) -> dict[str, Any]:
    """Published versions, newest first."""
    cursor = paging.read_cursor(query.get("cursor"), [int])
    before = cursor[0] if cursor else None
    program_id, limit = _program_id(), query["limit"]

    def read(connection: sa.Connection) -> dict[str, Any]:
        live, _ = versions.get_live(connection, program_id)
        rows = versions.list_versions(connection, program_id, before=before, limit=limit)
        return paging.page(
            rows,
            limit,
            key=lambda row: [row.version],
            show=lambda row: versions.show(row, live=live.version, is_whole=False),
        )

    return db.reading(read)


@routes.operation("GET", "/program/versions/<int:version>", answers={200: _VERSION})
def get_version(version: int) -> dict[str, Any]:
    """One published version with its document."""

    def read(connection: sa.Connection) -> dict[str, Any]:
        live, _ = versions.get_live(connection, _program_id())
        row = versions.get_version(connection, _program_id(), _small(version))
        return versions.show(row, live=live.version, is_whole=True)

    return db.reading(read)


@routes.operation(
    "POST",
    "/program/versions/<int:version>/restore",
    answers={200: _VERSION},
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def restore_version(version: int) -> Response:
    """Publish an earlier version's document again, as a new version."""
    program_id, actor = _program_id(), auth.actor()
    number = _small(version)
    return idempotency.once(
        lambda connection: (
            versions.publish(
                connection,
                program_id,
                note=f"restored version {number}",
                actor=actor,
                restored=number,
            ),
            200,
        )
    )


@routes.operation(
    "POST",
    "/switches",
    answers={200: schemas.SwitchAnswer()},
    body=schemas.SwitchBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def throw_switch(body: dict[str, Any]) -> Response:
    """Pause an item of the published document, or set it live, at once and without a new version.

    It stays so over later publications until it is switched again; what was decided before stays.
    """
    program_id, actor = _program_id(), auth.actor()

    def work(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        row = versions.switch(
            connection,
            program_id,
            (body["section"], body["key"]),
            state=body["state"],
            reason=body["reason"],
            actor=actor,
        )
        return switches.show(row), 200

    return idempotency.once(work)


@routes.operation(
    "GET", "/switches", answers={200: schemas.SwitchesAnswer()}, query=paging.PageQuery()
)
def list_switches(query: dict[str, Any]) -> dict[str, Any]:
    """The log of switches, newest first."""
    cursor = paging.read_cursor(query.get("cursor"), [int])
    before = cursor[0] if cursor else None
    program_id, limit = _program_id(), query["limit"]
    rows = db.reading(
        lambda connection: switches.list_log(connection, program_id, before=before, limit=limit)
    )
    return paging.page(rows, limit, key=lambda row: [row.number], show=switches.show)


def _small(version: int) -> int:
    if version >= 2**31:
        raise not_found("program version")
    return version


@keys.operation(
    "POST",
    "/keys",
    answers={201: schemas.NewKeyAnswer()},
    body=schemas.KeyBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def create_key(body: dict[str, Any]) -> Response:
    """Make a key; it is shown this once."""
    credential = auth.credential()
    is_secret = body.get("kind", "secret") == "secret"
    scopes = tuple(body.get("scopes", auth.SCOPES if is_secret else ()))
    for index, scope in enumerate(scopes):
        if scope not in auth.SCOPES or not is_secret:
            offered = ", ".join(auth.SCOPES) if is_secret else "none for publishable keys"
            raise invalid_at(f"/scopes/{index}", f"is no scope; there are: {offered}")
        if scope not in credential.scopes:
            auth.require_scope(scope, f"Granting {scope}")

    def work(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        _, now = versions.get_live(connection, credential.program_id)
        key_id, key = auth.issue_key(
            connection,
            credential.program_id,
            kind="sk" if is_secret else "pk",
            mode=credential.mode,
            name=body["name"],
            scopes=scopes,
            now=now,
        )
        row = connection.execute(sa.select(auth.ApiKey).where(auth.ApiKey.id == key_id)).one()
        return _show_key(row) | {"key": key}, 201

    return idempotency.once(work)


@keys.operation("GET", "/keys", answers={200: schemas.KeysAnswer()}, query=paging.PageQuery())
def list_keys(query: dict[str, Any]) -> dict[str, Any]:
    """Keys, newest first, without the keys themselves."""
    cursor = paging.read_cursor(query.get("cursor"), [str])
    program_id, limit = _program_id(), query["limit"]
    statement = (
        sa.select(auth.ApiKey)
        .where(auth.ApiKey.program_id == program_id)
        .order_by(auth.ApiKey.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        statement = statement.where(auth.ApiKey.id < paging.read_id("key", cursor[0]))
    rows = db.reading(lambda connection: list(connection.execute(statement)))
    return paging.page(
        rows, limit, key=lambda row: [ids.show_id("key", bytes(row.id))], show=_show_key
    )


@keys.operation("DELETE", "/keys/<key_id>", answers={204: "The key is revoked."})
def revoke_key(key_id: str) -> tuple[str, int]:
    """Revoke a key; it stops within a second."""
    program_id, known = _program_id(), ids.read_id("key", key_id)

    def work(connection: sa.Connection) -> bool:
        if known is None:
            return False
        _, now = versions.get_live(connection, program_id)
        return auth.revoke_key(connection, program_id, known, now=now)

    if not db.in_transaction(work):
        raise not_found("key")
    return "", 204


def _show_key(row: Any) -> dict[str, Any]:
    return {
        "id": ids.show_id("key", bytes(row.id)),
        "name": row.name,
        "prefix": row.prefix,
        "last_four": row.last_four,
        "scopes": jsontext.parse(row.scopes),
        "created_at": clock.format_instant(row.created_at),
        "revoked_at": None if row.revoked_at is None else clock.format_instant(row.revoked_at),
    }
