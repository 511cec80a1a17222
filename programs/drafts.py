"""The draft of a program document: read, replaced, patched (RFC 6902), edited item by item.

Every write is validated as a whole and refused whole. The ETag counts published version and
draft revision; a write with If-Match on another one is refused.
"""

import copy
from typing import Any

import jsonpatch
import sqlalchemy as sa
from jsonpointer import JsonPointerException

from core import clock, jsontext
from core.errors import Problem, invalid_at, not_found
from programs import versions
from programs.models import ProgramDraft
from programs.switches import path_of


def read(connection: sa.Connection, program_id: bytes) -> tuple[dict[str, Any], str]:
    """The draft and its ETag; until first written it equals what is published."""
    live, _ = versions.get_live(connection, program_id)
    row = connection.execute(
        sa.select(ProgramDraft.document, ProgramDraft.revision).where(
            ProgramDraft.program_id == program_id
        )
    ).first()
    if row is None:
        published = versions.get_version(connection, program_id, live.version)
        return jsontext.parse(published.document), f'"{live.version}.0"'
    return jsontext.parse(row.document), f'"{live.version}.{row.revision}"'


def write(
    connection: sa.Connection,
    program_id: bytes,
    change: Any,
    *,
    if_match: str | None,
    actor: str | None,
) -> tuple[dict[str, Any], str]:
    """Apply `change(document) -> document` to the draft, validate, store; document and ETag."""
    live, now = versions.lock_program(connection, program_id)
    document, etag = read(connection, program_id)
    if if_match is not None and if_match.strip() not in {etag, "*", f"W/{etag}"}:
        raise Problem(
            409,
            "version_mismatch",
            f"The draft is at {etag}, not at {if_match[:80]}: read it again and repeat the change.",
        )
    changed = versions.validate(change(document))
    revision = int(etag.strip('"').split(".")[1]) + 1
    _store(connection, program_id, changed, revision=revision, actor=actor, now=now)
    return changed, f'"{live}.{revision}"'


def _store(
    connection: sa.Connection,
    program_id: bytes,
    document: dict[str, Any],
    *,
    revision: int,
    actor: str | None,
    now: clock.Instant,
) -> None:
    values = {
        "revision": revision,
        "document": jsontext.text(document),
        "actor": actor,
        "updated_at": now,
    }
    updated = connection.execute(
        sa.update(ProgramDraft).where(ProgramDraft.program_id == program_id).values(**values)
    )
    if updated.rowcount == 0:
        connection.execute(sa.insert(ProgramDraft).values(program_id=program_id, **values))


def patched(document: dict[str, Any], operations: Any) -> Any:
    """The document after an RFC 6902 patch; 422 names the operation that cannot be applied."""
    if not isinstance(operations, list) or len(operations) > 200:
        raise invalid_at("", "a patch is a list of up to 200 operations (RFC 6902)")
    result = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        try:
            result = jsonpatch.JsonPatch([operation]).apply(result)
        except (
            jsonpatch.JsonPatchException,
            JsonPointerException,
            TypeError,
            ValueError,
            KeyError,
            AttributeError,
            RecursionError,
        ) as error:
            raise invalid_at(
                f"/{index}", _patch_fault(operation, error), code="patch_failed"
            ) from None
    return result


def _patch_fault(operation: Any, error: Exception) -> str:
    """Why an operation cannot be applied, without the document that it did not fit."""
    if isinstance(error, jsonpatch.JsonPatchTestFailed):
        return "the test failed: the draft holds another value there"
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        return 'must be an operation of RFC 6902: {"op", "path", "value"?, "from"?}'
    path = operation["path"][:200].encode("ascii", "backslashreplace").decode()
    return f"cannot be applied: see whether {path!r} leads to something in the draft"


def find_item(document: dict[str, Any], section: str, key: str) -> dict[str, Any]:
    """An item of a section; 404 when there is none with this key."""
    for item in _items(document, section):
        if item["key"] == key:
            found: dict[str, Any] = item
            return found
    raise not_found(f"item in the section {section}")


def with_item(document: dict[str, Any], section: str, key: str, item: Any) -> dict[str, Any]:
    """The document with an item put in its place, or added at the end."""
    if not isinstance(item, dict):
        raise invalid_at("", "must be an object")
    if item.setdefault("key", key) != key:
        raise invalid_at("/key", "must equal the key in the address")
    result = copy.deepcopy(document)
    items = _items(result, section, make=True)
    for index, old in enumerate(items):
        if old["key"] == key:
            items[index] = item
            return result
    items.append(item)
    return result


def without_item(document: dict[str, Any], section: str, key: str) -> dict[str, Any]:
    """The document without an item; 404 when there is none with this key."""
    find_item(document, section, key)
    result = copy.deepcopy(document)
    items = _items(result, section)
    items[:] = [item for item in items if item["key"] != key]
    return result


def _items(document: dict[str, Any], section: str, *, make: bool = False) -> list[Any]:
    path = path_of(section)
    place: Any = document
    for name in path[:-1]:
        if place.get(name) is None:
            if not make:
                return []
            place[name] = {}
        place = place[name]
    items = place.get(path[-1])
    if items is None:
        items = []
        if make:
            place[path[-1]] = items
    found: list[Any] = items
    return found
