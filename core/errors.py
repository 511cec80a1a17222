"""Problems: what a caller is told when a request cannot be served (RFC 9457 problem details).

A problem is raised beside the rule it protects and says what was wrong, where, and what to do.
"""

from dataclasses import dataclass
from typing import Any

TITLES = {
    400: "The request could not be read",
    401: "Authentication is required",
    403: "This credential may not do that",
    404: "Not found",
    405: "This address does not know that method",
    409: "The state does not allow that",
    413: "The request is too large",
    415: "The content type is not supported",
    422: "The request was understood but cannot be accepted",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "The service cannot answer just now",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One finding in a body: where (RFC 6901 pointer), which rule, and what to do about it."""

    pointer: str
    code: str
    detail: str

    def shown(self) -> dict[str, str]:
        """The finding as the contract words it."""
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


class Problem(Exception):  # noqa: N818
    """A request that ends with a 4xx or 5xx; `extra` are the code's own fields of the contract."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}
        self.extra = extra

    def shown(self) -> dict[str, Any]:
        """The problem as JSON, without the request's id."""
        body: dict[str, Any] = {
            "type": f"/docs/problems#{self.code}",
            "title": TITLES.get(self.status, "The request failed"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = [error.shown() for error in self.errors]
        return body | self.extra


def not_found(what: str) -> Problem:
    """404: unknown here, or another program's; both look alike."""
    return Problem(404, "not_found", f"There is no {what} with this reference in this program.")


def invalid(errors: list[FieldError]) -> Problem:
    """422 `validation_failed`: the JSON was read, its content cannot be accepted."""
    count = len(errors)
    where = errors[0]
    detail = f"{where.pointer or '/'}: {where.detail}"
    if count > 1:
        detail += f" (and {count - 1} more, see errors)"
    return Problem(422, "validation_failed", detail, errors=errors)


def invalid_at(pointer: str, detail: str, *, code: str = "invalid") -> Problem:
    """422 `validation_failed` with a single finding."""
    return invalid([FieldError(pointer, code, detail)])
