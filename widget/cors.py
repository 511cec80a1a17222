"""CORS: browsers may read answers of the widget's addresses, on pages of the origins that the
program of their key or token allows.

A preflight carries no credential, so it is allowed where any program allows the origin; the answer
itself names the origin only where its own program does. No cookies, no wildcard, and nothing on
any other address: a secret key has no business in a browser.
"""

import logging

from flask import Flask, Response, request

from core import auth, db
from widget import origins

_OURS = ("/v1/me/", "/v1/public/")
METHODS = ("GET", "POST", "PATCH")
#: What a page may send, and what it may read of an answer beside the body.
SENT = ("Authorization", "Content-Type", "Idempotency-Key")
SHOWN = ("Idempotent-Replayed", "Retry-After", "X-Request-Id")
_PREFLIGHT_SECONDS = 600
_log = logging.getLogger("dangol.http")


def init(app: Flask) -> None:
    """Answer preflights, and name allowed origins on answers."""
    origins.init(app)
    app.before_request(_answer_preflight)
    app.after_request(_name_origin)


def is_ours(path: str) -> bool:
    """Whether browsers may call an address at all."""
    return path == "/v1/me" or path.startswith(_OURS)


def _answer_preflight() -> Response | None:
    if request.method != "OPTIONS" or not is_ours(request.path):
        return None
    origin = request.headers.get("Origin")
    wanted = request.headers.get("Access-Control-Request-Method")
    if not (origin and wanted):
        return None
    response = Response(status=204)
    if origins.is_known(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = ", ".join(METHODS)
        response.headers["Access-Control-Allow-Headers"] = ", ".join(SENT)
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    return response


def _name_origin(response: Response) -> Response:
    if not is_ours(request.path):
        return response
    response.vary.add("Origin")
    # A person's own affairs, and what a switch may change at any moment.
    response.headers["Cache-Control"] = "no-store"
    origin, program_id = request.headers.get("Origin"), auth.asked_program_id()
    if request.method == "OPTIONS" or not origin or program_id is None:
        return response
    if _is_allowed(program_id, origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = ", ".join(SHOWN)
    return response


def _is_allowed(program_id: bytes, origin: str) -> bool:
    try:
        return origins.is_allowed(program_id, origin)
    except Exception as error:
        # What was asked is answered already: that the database went away since is no new answer.
        if db.as_problem(error) is None:
            raise
        _log.error("origins cannot be read", extra={"error": type(error).__name__})
        return False
