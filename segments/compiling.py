"""Conditions compiled to SQL, with the same results as in Python (`rules.conditions`).

Pure: it is given a column for each fact and returns an expression. A fact that is missing is null
and meets no comparison, whatever the operator, so every comparison is made true or false before a
`not` can see it. Texts are compared by their characters, never by a collation.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from rules.facts import Catalogue, FactType, microseconds_of
from rules.operators import MEMBERSHIP
from segments import days

Expression = sa.ColumnElement[Any]

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: Where a text begins in another, from 1; 0 where it does not.
_PLACE = {"sqlite": "instr", "postgresql": "strpos"}
_KINDS: dict[FactType, Any] = {
    "integer": sa.BigInteger(),
    "instant": sa.BigInteger(),
    "date": sa.BigInteger(),
    "text": sa.Text(),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """A column for each fact (a date's holds the number of the day, `segments.days`), and the one
    that holds the storefront's own facts as JSON, whose names follow `prefix`."""

    facts: Mapping[str, Expression]
    attributes: Expression
    prefix: str
    dialect: str


def compile_condition(condition: Any, columns: Columns, *, catalogue: Catalogue) -> Expression:
    """The expression that is true of those who meet a checked condition."""
    if not isinstance(condition, dict):
        return sa.true()
    if "not" in condition:
        return sa.not_(compile_condition(condition["not"], columns, catalogue=catalogue))
    for word, joined in (("all", sa.and_), ("any", sa.or_)):
        if word in condition:
            return joined(
                *(compile_condition(one, columns, catalogue=catalogue) for one in condition[word])
            ).self_group()
    return sa.func.coalesce(_leaf(condition, columns, catalogue), sa.false(), type_=sa.Boolean())


def _leaf(leaf: Mapping[str, Any], columns: Columns, catalogue: Catalogue) -> Expression:
    name, op, value = leaf["fact"], leaf["op"], leaf["value"]
    type_ = catalogue.get(name).type
    if type_ == "attribute":
        return _attribute(name.removeprefix(columns.prefix), op, value, columns)
    column = columns.facts[name]
    if type_ == "boolean":
        return _boolean(column, op, [value])
    many = [_literal(one, type_) for one in (value if op in MEMBERSHIP else [value])]
    return _compare(column, op, many, kind=_KINDS[type_], dialect=columns.dialect)


def _literal(value: Any, type_: FactType) -> Any:
    if type_ == "date":
        return days.number_of(date.fromisoformat(value))
    return microseconds_of(value) if type_ == "instant" else value


def _compare(
    column: Expression, op: str, literals: list[Any], *, kind: Any, dialect: str
) -> Expression:
    """A comparison of something that is an integer or a text, or null."""
    bound = [sa.bindparam(None, one, type_=kind, unique=True) for one in literals]
    if op == "in":
        return sa.or_(*(column == one for one in bound))
    if op == "not_in":
        return sa.and_(*(column != one for one in bound))
    if op == "contains":
        # The empty text is a part of every text; not every database says so.
        if literals[0] == "":
            return column.is_not(None)
        place: Expression = getattr(sa.func, _PLACE[dialect])(column, bound[0])
        return place > sa.literal_column("0")
    compared: Expression = _COMPARED[op](column, bound[0])
    return compared


def _boolean(column: Expression, op: str, literals: list[bool]) -> Expression:
    """A comparison of something that is true, false or null."""
    met = [one for one in (True, False) if (one in literals) == (op in ("=", "in"))]
    return sa.or_(sa.false(), *(column.is_(sa.true() if one else sa.false()) for one in met))


def _attribute(name: str, op: str, value: Any, columns: Columns) -> Expression:
    """A comparison with a fact of the storefront's own, which is met by values of the literal's
    type alone; where texts are compared, lists of texts are judged by their elements."""
    found = _OF_DIALECT[columns.dialect](columns.attributes, name)
    literals = value if op in MEMBERSHIP else [value]
    if isinstance(literals[0], bool):
        return _boolean(found.boolean, op, literals)
    if isinstance(literals[0], int):
        return _compare(found.integer, op, literals, kind=sa.BigInteger(), dialect=columns.dialect)
    text = _compare(found.text, op, literals, kind=sa.Text(), dialect=columns.dialect)
    if op in ("contains", *MEMBERSHIP):
        has_any = sa.or_(*(found.has(one) for one in literals))
        judged = sa.not_(has_any) if op == "not_in" else has_any
        return sa.or_(text, sa.and_(found.is_list, judged))
    return text


class _Sqlite:
    """A value in JSON, as SQLite reads it."""

    def __init__(self, column: Expression, name: str) -> None:
        path = sa.bindparam(None, f'$."{name}"', type_=sa.Text(), unique=True)
        self._type = sa.func.json_type(column, path, type_=sa.Text())
        self._value = sa.func.json_extract(column, path)
        self._column, self._path = column, path
        self.is_list = self._type == "array"

    @property
    def integer(self) -> Expression:
        """The integer; null for anything else."""
        return sa.case((self._type == "integer", self._value))

    @property
    def boolean(self) -> Expression:
        """The boolean; null for anything else."""
        return sa.case((self._type == "true", sa.true()), (self._type == "false", sa.false()))

    @property
    def text(self) -> Expression:
        """The text; null for anything else."""
        return sa.case((self._type == "text", self._value))

    def has(self, text: str) -> Expression:
        """Whether a list has a text."""
        inside = sa.func.json_each(self._column, self._path).table_valued("value", "type")
        bound = sa.bindparam(None, text, type_=sa.Text(), unique=True)
        return sa.exists(
            sa.select(sa.literal_column("1"))
            .select_from(inside)
            .where(inside.c.type == "text", inside.c.value == bound)
        )


class _Postgresql:
    """A value in JSON, as PostgreSQL reads it."""

    def __init__(self, column: Expression, name: str) -> None:
        whole = sa.cast(column, postgresql.JSONB)
        key = sa.bindparam(None, name, type_=sa.Text(), unique=True)
        self._value: Expression = whole.op("->")(key)
        self._text: Expression = whole.op("->>")(key)
        self._type = sa.func.jsonb_typeof(self._value, type_=sa.Text())
        self.is_list = self._type == "array"

    @property
    def integer(self) -> Expression:
        """The integer; null for anything else."""
        return sa.case((self._type == "number", sa.cast(self._text, sa.BigInteger)))

    @property
    def boolean(self) -> Expression:
        """The boolean; null for anything else."""
        return sa.case((self._type == "boolean", sa.cast(self._text, sa.Boolean)))

    @property
    def text(self) -> Expression:
        """The text; null for anything else."""
        return sa.case((self._type == "string", self._text))

    def has(self, text: str) -> Expression:
        """Whether a list has a text."""
        bound = sa.bindparam(None, text, type_=sa.Text(), unique=True)
        listed: Expression = self._value.op("@>")(sa.func.to_jsonb(sa.cast(bound, sa.Text)))
        return listed


_OF_DIALECT: dict[str, Callable[[Expression, str], Any]] = {
    "sqlite": _Sqlite,
    "postgresql": _Postgresql,
}
