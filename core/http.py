"""HTTP in one manner: routes declare what they take and answer, every fault is a problem.

Owns request ids, the reading and validating of bodies and queries, JSON answers, and the
translation of every exception (Flask's and Werkzeug's too) into `application/problem+json`.
"""

import logging
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Flask, Response, current_app, g, request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import BaseConverter, ValidationError

from core import auth, db, failpoints, findings, jsontext, loading
from core.errors import FieldError, Problem, invalid
from core.fields import BELOW, Boolean, Instant, Integer, Schema, Text, reference_fault

BODY_MAX = 1024 * 1024
_READING = {"GET", "HEAD", "OPTIONS"}
_log = logging.getLogger("dangol.http")
View = Callable[..., Any]

_CODES = {
    400: "malformed_request",
    401: "authentication_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}
_DETAILS = {
    404: "There is nothing at this address. The list of addresses is at /docs.",
    413: "The body is larger than {} MiB. Send less at once, a batch in parts.",
}


class ReferenceConverter(BaseConverter):
    """A caller's reference in a path; it may hold slashes that arrive decoded."""

    regex = "(?s:.+?)"
    part_isolating = False

    def to_python(self, value: str) -> str:
        """The reference; an address of something below a member or an order is none."""
        if not BELOW.isdisjoint(value.split("/")[1:]):
            raise ValidationError
        return value


class _Provider(JSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return jsontext.text(obj)

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return jsontext.read(s.encode() if isinstance(s, str) else s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        value = args[0] if len(args) == 1 else kwargs or list(args)
        return Response(jsontext.write(value), mimetype="application/json")


class ProblemAnswer(Schema):
    """Problem details (RFC 9457)."""

    class FieldErrorAnswer(Schema):
        """One finding in the body."""

        pointer = Text(required=True, least=0, metadata={"description": "RFC 6901 pointer."})
        code = Text(required=True, metadata={"description": "Which rule was broken."})
        detail = Text(required=True, most=2000, metadata={"description": "What to do about it."})

    class Meta:
        """Codes bring fields of their own."""

        unknown = ma.INCLUDE

    type = Text(required=True, metadata={"description": "Address of the code's description."})
    title = Text(required=True, metadata={"description": "The status in words."})
    status = Integer(required=True, metadata={"description": "The HTTP status."})
    detail = Text(required=True, most=2000, metadata={"description": "What was wrong, what to do."})
    code = Text(required=True, metadata={"description": "Stable code of the contract."})
    request_id = Text(required=True, metadata={"description": "Names this request in the log."})
    errors = ma.fields.List(
        ma.fields.Nested(FieldErrorAnswer), metadata={"description": "Findings by pointer."}
    )


_PROBLEM = ProblemAnswer()


class Routes(flask_smorest.Blueprint):  # type: ignore[misc]
    """A blueprint whose operations declare body, query and answers once, for code and docs."""

    def operation(
        self,
        method: str,
        rule: str,
        *,
        answers: dict[int, Schema | dict[str, Any] | str],
        body: Schema | None = None,
        query: Schema | None = None,
        problems: tuple[int, ...] = (),
        parameters: tuple[dict[str, Any], ...] = (),
        is_reading: bool = False,
        is_of_member: bool = False,
        content: dict[str, Any] | None = None,
    ) -> Callable[[View], View]:
        """Register a view; `is_reading` is for a POST that writes nothing, `is_of_member` for
        what members do themselves: nobody of the organisation acts, whatever they say.

        `body` and `query` are loaded strictly and passed under these names; `answers` document
        the 2xx and 3xx by status; `problems` name the 4xx beyond those that any route can give;
        `content` says by media type what a body is that the view reads by itself.
        """

        is_writing = method not in _READING and not is_reading and not is_of_member
        if is_writing:
            parameters = (*parameters, auth.ACTOR)

        def decorate(view: View) -> View:
            unasked = None if query is None else _unasked(query)
            may_be_absent = method == "POST" and body is not None and _needs_nothing(body)

            @wraps(view)
            def wrapped(**arguments: Any) -> Any:
                if request.view_args:
                    _check_references(request.view_args)
                if unasked is not None and not request.query_string:
                    arguments["query"] = dict(unasked)
                elif query is not None:
                    arguments["query"] = load_query(query)
                elif request.args:
                    unknown = next(iter(request.args))
                    raise invalid([FieldError(f"?{unknown[:64]}", "unknown_field", _UNKNOWN)])
                if body is not None:
                    is_absent = may_be_absent and _is_absent()
                    arguments["body"] = load(body, {}) if is_absent else load_body(body)
                if is_writing:
                    auth.actor()
                return view(**arguments)

            reads = content if body is None else {"application/json": {"schema": body}}
            documentation = _documentation(
                answers=answers, reads=reads, query=query, problems=problems, parameters=parameters
            )
            if may_be_absent:
                documentation["requestBody"]["required"] = False
            wrapped._apidoc = {"manual_doc": documentation}  # type: ignore[attr-defined]
            self.add_url_rule(rule, view.__name__, wrapped, methods=[method])
            return wrapped

        return decorate


_UNKNOWN = "is not a parameter of this address; see /docs"


def _unasked(query: Schema) -> dict[str, Any] | None:
    """What a query comes to when nothing is asked: found once, since hot reads ask nothing."""
    try:
        found: dict[str, Any] = query.load({})
    except ma.ValidationError:
        return None
    return found


def _documentation(
    *,
    answers: dict[int, Schema | dict[str, Any] | str],
    reads: dict[str, Any] | None,
    query: Schema | None,
    problems: tuple[int, ...],
    parameters: tuple[dict[str, Any], ...],
) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in answers.items():
        if isinstance(answer, str):
            responses[str(status)] = {"description": answer}
        elif isinstance(answer, dict):
            responses[str(status)] = answer
        else:
            responses[str(status)] = {
                "description": (answer.__doc__ or "OK").strip().splitlines()[0],
                "content": {"application/json": {"schema": answer}},
            }
    statuses = {400, 401, 403, 404, 422, 429, 500, 503, *problems}
    for status in sorted(statuses if reads is None else {*statuses, 413, 415}):
        responses[str(status)] = {
            "description": "Problem details.",
            "content": {"application/problem+json": {"schema": _PROBLEM}},
        }
    documentation: dict[str, Any] = {"responses": responses}
    if reads is not None:
        documentation["requestBody"] = {"required": True, "content": reads}
    shown = list(parameters)
    if query is not None:
        shown.append({"in": "query", "schema": query})
    if shown:
        documentation["parameters"] = shown
    return documentation


def _check_references(arguments: dict[str, Any]) -> None:
    for name, value in arguments.items():
        if not isinstance(value, str):
            continue
        fault = "must be UTF-8" if "\ufffd" in value else reference_fault(value)
        if fault:
            raise invalid([FieldError(f"/{name}", "invalid", f"in the path {fault}")])


def _needs_nothing(body: Schema) -> bool:
    return not any(field.required for field in body.load_fields.values())


def _is_absent() -> bool:
    """Whether nothing was sent, whatever it was said to be: what needs nothing is told so."""
    return not request.get_data(cache=True)


def load_body(schema: Schema) -> Any:
    """The request's body through a schema: 415, 413, 400 or 422 when it is not acceptable."""
    return load(schema, read_body())


def read_body(*, also: str = "application/json", most: int = BODY_MAX) -> Any:
    """The request's JSON body of at most so many bytes, read strictly and not yet validated;
    `also` names a second type."""
    if request.mimetype not in {"application/json", also}:
        raise Problem(
            415, "unsupported_media_type", "Send the body with Content-Type: application/json."
        )
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in {"utf-8", "utf8"}:
        raise Problem(415, "unsupported_media_type", "Send JSON in UTF-8.")
    try:
        raw = request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise too_large(most) from None
    if request.content_length is None and len(raw) >= most:
        # A body of unannounced length is cut at the limit, not refused, below Flask.
        raise too_large(most)
    try:
        return jsontext.read(raw)
    except jsontext.MalformedJson as error:
        raise Problem(400, "malformed_json", f"The body is not acceptable JSON: {error}.") from None


def too_large(most: int) -> Problem:
    """413, for a body of more than so many bytes."""
    return Problem(413, "payload_too_large", _DETAILS[413].format(most // BODY_MAX))


def load(schema: Schema, value: Any, *, pointer: str = "") -> Any:
    """A JSON value through a schema; 422 with every finding and its pointer."""
    try:
        return loading.load(schema, value)
    except ma.ValidationError as error:
        raise invalid(findings.of(error.messages, pointer, schema)) from None


def load_query(schema: Schema) -> Any:
    """The query string through a schema; integers and booleans are read from their text."""
    values: dict[str, Any] = {}
    for name, items in request.args.lists():
        if len(items) > 1:
            raise invalid([FieldError(f"?{name[:64]}", "invalid", "may be given only once")])
        values[name] = _from_text(schema.fields.get(name), items[0])
    try:
        return schema.load(values)
    except ma.ValidationError as error:
        found = findings.of(error.messages, "", schema)
        raise invalid([_in_query(schema, values, one) for one in found]) from None


def _in_query(schema: Schema, values: dict[str, Any], found: FieldError) -> FieldError:
    """A finding of the query string, with a hint where a plus sign arrived as a space."""
    name, detail = found.pointer[1:], found.detail
    if isinstance(schema.fields.get(name), Instant) and " " in str(values.get(name)):
        detail += "; in an address write + as %2B"
    return FieldError(f"?{name}", found.code, detail)


def _from_text(field: Any, text: str) -> Any:
    if isinstance(field, Integer) and len(text) < 20 and text.lstrip("-").isdecimal():
        return int(text) if text.isascii() else text
    if isinstance(field, Boolean):
        return {"true": True, "false": False}.get(text, text)
    return text


def init(app: Flask) -> None:
    """Install request ids, the JSON provider and the handlers of every exception."""
    app.json = _Provider(app)
    app.url_map.converters["ref"] = ReferenceConverter
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX
    app.before_request(_name_request)
    app.after_request(_finish)
    handle_exceptions(app)


def handle_exceptions(app: Flask) -> None:
    """Answer every exception as a problem; called again after an extension set its own manner."""
    app.register_error_handler(HTTPException, _answer_exception)
    app.register_error_handler(Exception, _answer_exception)


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)


def _finish(response: Response) -> Response:
    if request.method not in _READING:
        failpoints.reach("http.before_answer")
    response.headers["X-Request-Id"] = request_id()
    if response.status_code >= 400:
        _log.log(
            logging.ERROR if response.status_code >= 500 else logging.INFO,
            "request refused",
            extra={"status": response.status_code, "code": g.get("problem_code")},
        )
    return response


def request_id() -> str:
    """The id of the current request, made when it came in."""
    found: str | None = g.get("request_id")
    if found is None:
        found = g.request_id = secrets.token_hex(8)
    return found


def _answer_exception(error: Exception) -> Response:
    if isinstance(error, Problem):
        return answer_problem(error)
    if isinstance(error, HTTPException):
        return _answer_http_exception(error)
    problem = db.as_problem(error)
    if problem is None:
        _log.exception("unexpected error")
        problem = Problem(
            500, "internal_error", "This is our fault; it is logged under the request id."
        )
    else:
        _log.error("storage unavailable", extra={"error": type(error).__name__})
    return answer_problem(problem)


def _answer_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=error.get_headers())
    if status not in _CODES:
        status = 400 if status < 500 else 500
    headers, allowed = {}, _allowed(error) if status == 405 else []
    if status == 405 and not allowed:
        status = 404
    code = _CODES.get(status, "internal_error")
    detail = _DETAILS.get(status) or str(error.description or error.name)
    if status == 413:
        return answer_problem(too_large(BODY_MAX))
    if allowed:
        headers["Allow"] = ", ".join(allowed)
        detail = f"This address knows {', '.join(allowed)}."
    return answer_problem(Problem(status, code, detail, headers=headers))


def _allowed(error: HTTPException) -> list[str]:
    """Methods that an address knows. Those of what it stands below were counted as well while it
    was looked up: they are asked for again, one by one."""
    adapter = current_app.create_url_adapter(request)
    methods = sorted(getattr(error, "valid_methods", None) or [])
    return [one for one in methods if adapter is None or adapter.test(method=one)]


def answer_problem(problem: Problem) -> Response:
    """The response of a problem."""
    g.problem_code = problem.code
    body = problem.shown() | {"request_id": request_id()}
    return Response(
        jsontext.write(body),
        status=problem.status,
        headers=problem.headers,
        mimetype="application/problem+json",
    )
