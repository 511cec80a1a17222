"""Addresses of clicks: links as people open them, and clicks that a storefront tells of.

A link takes whatever a messenger appends to its address, so it is no operation like the others:
nothing that is sent with it is refused, and nothing but its code and channel is read.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, current_app, request
from werkzeug.datastructures import Headers

from config import Settings
from core import auth, http, idempotency
from core.errors import not_found
from referrals import clicks, machines
from storefront.referring.links import click_schemas, clicking, redirecting
from storefront.referring.links.redirecting import Led, Opening

routes = http.Routes("clicks", __name__, description="Clicks.")

_PATH = "/r/"
#: Neither kept nor found again by anybody; and the page learns nothing of where the link stood.
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_FOUND = "302 FOUND"
#: What all redirects say.
_BARE = [*_HEADERS.items(), ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "0")]
_PROBLEM = {"application/problem+json": {"schema": http.ProblemAnswer()}}


class _Redirect(Response):
    """An answer without a body whose headers are sent as they are: its address is in ASCII."""

    def get_wsgi_headers(self, environ: Any) -> Headers:  # noqa: ARG002
        return self.headers

    def get_app_iter(self, environ: Any) -> Iterable[bytes]:  # noqa: ARG002
        return ()


class _Ready(Headers):
    """Headers in which nothing can be that would have to be looked at again."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._list = pairs


def _settings() -> Settings:
    found: Settings = current_app.extensions["dangol.settings"]
    return found


def follow_link(code: str) -> Response:
    """Lead on to the landing page of the link's offer, with the token of the click as `rt`.

    Machines (previews of links, prefetching, crawlers) and closed codes are led there without one.
    An unknown code leads to the instance's own page for them, or is not found.
    """
    environ, settings = request.environ, _settings()
    agent = environ.get("HTTP_USER_AGENT")
    led = redirecting.lead(
        Opening(
            code=code,
            channel=redirecting.channel_of(environ.get("QUERY_STRING", "")),
            is_machine=environ["REQUEST_METHOD"] != "GET"
            or machines.is_machine(agent)
            or machines.is_ahead(environ),
            ip=_address(environ, settings.trusted_proxies),
            agent=agent,
            cookies=environ.get("HTTP_COOKIE"),
        )
    )
    return _answer(led, settings)


follow_link._apidoc = {  # type: ignore[attr-defined]
    "manual_doc": {
        "parameters": [
            {
                "in": "query",
                "name": "ch",
                "required": False,
                "description": "The channel over which the link was shared; anything but 1 to 32 of"
                " a-z 0-9 _ - is ignored, and so is every other parameter.",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "302": {
                "description": "To the landing page of the offer.",
                "headers": {
                    "Location": {"schema": {"type": "string"}},
                    "Cache-Control": {"schema": {"type": "string", "const": "no-store"}},
                    "Set-Cookie": {
                        "description": "The chain of the visitor's clicks; none for machines.",
                        "schema": {"type": "string"},
                    },
                },
            },
            "404": {
                "description": "The code is unknown, or its offer has no landing page.",
                "content": _PROBLEM,
            },
            **{
                str(status): {"description": "Problem details.", "content": _PROBLEM}
                for status in (400, 500, 503)
            },
        },
    }
}
routes.add_url_rule("/r/<code>", "follow_link", follow_link, methods=["GET"])


def _address(environ: Mapping[str, Any], proxies: int) -> str | None:
    """The address of who asks: what the outermost of our own proxies says, if there are any."""
    if proxies:
        told = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        found = _bare(told[-proxies]) if len(told) >= proxies else ""
        if clicks.network(found) is not None:
            return found
    return environ.get("REMOTE_ADDR")


def _bare(told: str) -> str:
    """An address without the port and the brackets that some proxies write."""
    text = told.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _answer(led: Led, settings: Settings) -> Response:
    location = led.location or settings.link_fallback_url
    if not location:
        return _nowhere()
    headers = [*_BARE, ("Location", location)]
    if led.token is None:
        return _Redirect(status=_FOUND, headers=headers)
    secure = "Secure; " if settings.base_url.startswith("https://") else ""
    cookie = (
        f"{led.cookie}={led.token}; Max-Age={led.keep_seconds}; Path={_PATH}; HttpOnly;"
        f" {secure}SameSite=Lax"
    )
    # Signed tokens hold nothing that a header or a cookie would have to quote, and addresses of
    # landing pages were made ASCII.
    return _Redirect(status=_FOUND, headers=_Ready([*headers, ("Set-Cookie", cookie)]))


def _nowhere() -> Response:
    response = http.answer_problem(not_found("link"))
    response.headers.update(_HEADERS)
    return response


@routes.operation(
    "POST",
    "/v1/clicks",
    answers={201: click_schemas.ClickAnswer()},
    body=click_schemas.ClickBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def post_click(body: dict[str, Any]) -> Response:
    """Tell of a click on a link that the storefront led somewhere itself; answers the token that
    comes with the friend's signup or order."""
    program_id = auth.credential().program_id
    return idempotency.once(lambda connection: clicking.click(connection, program_id, body))
