"""A program document as YAML, for people and for version control; and what two documents differ in.

Writes the keys in the order of the contract, so that the same document is the same bytes wherever
it was edited. Reads plain data alone: no tags, no anchors, no types but text, integers, true, false
and null, so that 12-31, 14:00, 2026-05-01, on and no stay the texts they look like. Knows on which
line everything stands, so that what is wrong can be shown there.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import marshmallow as ma
import yaml

from core import jsontext
from programs.document import DocumentSchema

#: As much as a request may carry.
SIZE_MAX = 1024 * 1024
_DEPTH_MAX = 64
_WIDTH = 100
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,4000})")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
#: What is a line break to some readers, or nothing at all.
_UNPLAIN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCHEMA = DocumentSchema()


class MalformedYaml(ValueError):  # noqa: N818
    """A text that is no document in YAML as it is read here; the message says why and where."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Source:
    """What a text says, and on which line each part of it begins, by RFC 6901 pointer."""

    document: Any
    lines: Mapping[str, int]

    def line_of(self, pointer: str) -> int:
        """The line of a part, or of the nearest part around it that there is."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)


def read(raw: bytes) -> Source:
    """The document of a text in YAML (or JSON); MalformedYaml says what is wrong."""
    if len(raw) > SIZE_MAX:
        raise MalformedYaml(1, f"is larger than {SIZE_MAX:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MalformedYaml(line, "is not UTF-8") from None
    try:
        return _Reader(text).source()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MalformedYaml(mark.line + 1 if mark else 1, str(error.problem)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MalformedYaml(line, f"has a character that YAML refuses: {error.reason}") from None
    except RecursionError:
        raise MalformedYaml(1, "is nested too deeply") from None


class _Reader:
    """Builds plain values from the parser's events: nothing is ever constructed by its tag."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, Loader=yaml.BaseLoader)
        self._lines: dict[str, int] = {}

    def source(self) -> Source:
        event = self._next()
        while not isinstance(event, yaml.DocumentStartEvent):
            if isinstance(event, yaml.StreamEndEvent):
                raise MalformedYaml(1, "is empty")
            event = self._next()
        document = self._value(self._next(), "", 1)
        self._next()
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            raise MalformedYaml(_line(end), "a second document begins; give one")
        return Source(document, self._lines)

    def _next(self) -> Any:
        return next(self._events)

    def _value(self, event: Any, pointer: str, depth: int) -> Any:
        line = _line(event)
        self._lines.setdefault(pointer, line)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise MalformedYaml(line, "anchors and aliases are not read; write it out")
        if event.tag is not None:
            raise MalformedYaml(line, f"the tag {event.tag} is not read; leave it out")
        if depth > _DEPTH_MAX:
            raise MalformedYaml(line, f"is nested more than {_DEPTH_MAX} levels deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(pointer, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._value(event, f"{pointer}/{len(items)}", depth + 1))
            return items
        return _scalar(event, line)

    def _mapping(self, pointer: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise MalformedYaml(line, "a name must be a text")
            if event.anchor is not None or event.tag is not None:
                raise MalformedYaml(line, "a name has neither anchor nor tag")
            name = event.value
            if name in found:
                raise MalformedYaml(line, f"the name {name[:64]!r} occurs twice")
            if _SURROGATE.search(name):
                raise MalformedYaml(line, "a name holds half a character")
            below = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            self._lines[below] = line
            found[name] = self._value(self._next(), below, depth + 1)
        return found


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any, line: int) -> Any:
    text: str = event.value
    if _SURROGATE.search(text):
        raise MalformedYaml(line, "holds half a character (a lone surrogate)")
    if event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Lists indented below their name, and nothing referred to instead of written out."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: _Dumper, text: str) -> Any:
    """Quoted where a reader could take it for something else, lines as lines."""
    style = '"' if _UNPLAIN.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write(document: Mapping[str, Any]) -> str:
    """A document in YAML: the same text for the same document."""
    text: str = yaml.dump(
        ordered(document),
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=False,
        width=_WIDTH,
    )
    return text


def ordered(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its names in the order of the contract."""
    return _by_schema(document, _SCHEMA)  # type: ignore[no-any-return]


def _by_schema(value: Any, schema: ma.Schema) -> Any:
    if not isinstance(value, Mapping):
        return value
    names = [name for name in schema.fields if name in value]
    return {name: _by_field(value[name], schema.fields[name]) for name in names} | {
        name: item for name, item in value.items() if name not in schema.fields
    }


def _by_field(value: Any, field: Any) -> Any:
    if isinstance(field, ma.fields.Nested):
        return _by_schema(value, field.schema)
    if isinstance(field, ma.fields.List) and isinstance(value, list):
        return [_by_field(item, field.inner) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Change:
    """One thing in which two documents differ; items are named by their keys."""

    kind: Literal["added", "removed", "changed"]
    place: str
    old: Any = None
    new: Any = None

    def shown(self) -> str:
        """The change as one line."""
        if self.kind == "changed":
            return f"~ {self.place}: {_shown(self.old)} → {_shown(self.new)}"
        sign, value = ("+", self.new) if self.kind == "added" else ("-", self.old)
        is_plain = not isinstance(value, dict | list)
        return f"{sign} {self.place}" + (f": {_shown(value)}" if is_plain else "")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else jsontext.text(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What was added, removed and changed; the order of keyed items is no difference, save which
    kind of points is the first."""
    old, new = ordered(old), ordered(new)
    found = list(_differences(old, new, ""))
    first = [(one.get("points") or [{}])[0].get("key") for one in (old, new)]
    if first[0] != first[1]:
        found.append(Change("changed", "points (default kind)", *first))
    return found


def _differences(old: Any, new: Any, place: str) -> Iterator[Change]:
    # Not by equality alone: to Python, true equals 1.
    if jsontext.text(old) == jsontext.text(new):
        return
    if _is_keyed(old) and _is_keyed(new):
        old, new = ({item["key"]: item for item in items} for items in (old, new))
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield Change("changed", place, old, new)
        return
    for name in dict.fromkeys([*old, *new]):
        below = f"{place}.{name}" if place else name
        if name not in new:
            yield from _whole("removed", below, old[name])
        elif name not in old:
            yield from _whole("added", below, new[name])
        else:
            yield from _differences(old[name], new[name], below)


def _whole(kind: Literal["added", "removed"], place: str, value: Any) -> Iterator[Change]:
    """A part that only one of the two has; of a list of keyed items, each item."""
    if value and _is_keyed(value):
        for item in value:
            yield from _whole(kind, f"{place}.{item['key']}", item)
    elif kind == "added":
        yield Change(kind, place, new=value)
    else:
        yield Change(kind, place, old=value)


def _is_keyed(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(item.get("key"), str) for item in value
    )


def unified(
    old: Mapping[str, Any], new: Mapping[str, Any], *, names: tuple[str, str]
) -> Iterator[str]:
    """The lines of a unified diff of both documents in YAML."""
    return difflib.unified_diff(
        write(old).splitlines(), write(new).splitlines(), *names, lineterm="", n=3
    )
