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


#: Every code of a problem: its status and what it means. The page /docs/problems shows them.
CODES: dict[str, tuple[int, str]] = {
    "malformed_json": (400, "The body is not JSON in UTF-8, or breaks its rules."),
    "malformed_request": (400, "A header or the request line cannot be read."),
    "idempotency_key_missing": (400, "A write without a reference needs Idempotency-Key."),
    "invalid_cursor": (400, "The cursor is none of ours: start without one."),
    "authentication_required": (401, "No Authorization header was sent."),
    "invalid_credentials": (401, "The key is unknown or was revoked."),
    "token_expired": (401, "The member's token is over: have the server make another."),
    "forbidden": (403, "The key lacks the scope, or is of the wrong kind."),
    "not_found": (404, "Unknown here, or another program's: both look alike."),
    "method_not_allowed": (405, "The address does not know this method; see Allow."),
    "insufficient_points": (409, "Fewer points are available: see available."),
    "state_conflict": (409, "The state of the thing does not allow it."),
    "already_exists": (409, "Somebody has it already: choose another one."),
    "out_of_stock": (409, "No more of the reward, or of its codes, is left."),
    "limit_reached": (409, "The reward was redeemed as often as its limits allow."),
    "version_mismatch": (409, "Not the version you named: read again, repeat the change."),
    "idempotency_in_progress": (409, "The same request is still running: ask again."),
    "payload_too_large": (413, "The body is larger than 1 MiB."),
    "unsupported_media_type": (415, "Send application/json in UTF-8."),
    "validation_failed": (422, "The JSON was read, its content cannot be accepted: see errors."),
    "currency_mismatch": (422, "Amounts must be in the program's currency."),
    "idempotency_key_reused": (422, "The key was used for another request: take a new one."),
    "rate_limited": (429, "Too many requests: wait as Retry-After says."),
    "internal_error": (500, "Our fault; it is logged under the request id."),
    "overloaded": (503, "All connections are in use: send the same request again."),
    "storage_unavailable": (503, "The database is locked, full or away: send it again."),
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
        assert CODES[code][0] == status, f"{code} is declared with another status"
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
