"""Operators of conditions: which type of fact takes which, and what each says."""

from rules.facts import FactType

GROUPS = {
    "all": "every condition of the list holds",
    "any": "at least one condition of the list holds",
    "not": "the one condition does not hold",
}
ORDERING = ("<", "<=", ">", ">=")
MEMBERSHIP = ("in", "not_in")
_ORDERED = ("=", "!=", *ORDERING, *MEMBERSHIP)
OF_TYPE: dict[FactType, tuple[str, ...]] = {
    "integer": _ORDERED,
    "instant": _ORDERED,
    "date": _ORDERED,
    "text": ("=", "!=", "in", "not_in", "contains"),
    "boolean": ("=", "!="),
    "list": ("contains", "in", "not_in"),
    "attribute": (*_ORDERED, "contains"),
}
MEANINGS = {
    "=": "is the value",
    "!=": "is another than the value",
    "<": "is less, or earlier, than the value",
    "<=": "is at most the value",
    ">": "is more, or later, than the value",
    ">=": "is at least the value",
    "in": "is one of the values; of a list: has at least one of them",
    "not_in": "is none of the values; of a list: has none of them",
    "contains": "has the value: a list as an element, a text as a part",
}
