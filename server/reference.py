"""The API reference: OpenAPI 3.1 from the schemas, and a page that needs no other host."""

from pathlib import Path
from typing import Any

import flask_smorest
import flask_swagger_ui
import marshmallow as ma
from flask import Blueprint, Flask, Response, current_app, send_from_directory

from core import fields, jsontext
from core.errors import CODES
from core.http import ReferenceConverter

SETTINGS: dict[str, Any] = {
    "API_TITLE": "Dangol",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": "Loyalty and referrals: points that are explained to the unit.",
        },
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A secret key, sk_test_… or sk_live_…; for /v1/public a"
                    " publishable one, pk_…, and for /v1/me a member's token, mt_….",
                }
            }
        },
    },
}
_UI = Path(flask_swagger_ui.__file__).parent / "dist"
_FILES = ("swagger-ui.css", "swagger-ui-bundle.js")

blueprint = Blueprint("reference", __name__)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Dangol API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/v1/openapi.json", dom_id: "#reference", deepLinking: true,
validatorUrl: null});</script></body></html>
"""


def init(app: Flask, api: flask_smorest.Api) -> None:
    """Build the document once and serve it with its page."""
    app.register_blueprint(blueprint)
    document = api.spec.to_dict()
    _tidy(document)
    app.extensions["dangol.openapi"] = document


def register_fields(api: flask_smorest.Api) -> None:
    """Tell the generator how our fields look in JSON."""
    for field in (fields.Integer, fields.Minor, fields.Points, fields.BasisPoints):
        api.register_field(field, "integer", None)
    for text in (
        fields.Text,
        fields.Reference,
        fields.Key,
        fields.Instant,
        fields.Date,
        fields.Duration,
        fields.Currency,
    ):
        api.register_field(text, "string", None)
    api.register_field(fields.Boolean, "boolean", None)
    for mapping in (fields.Attributes, fields.Localised):
        api.register_field(mapping, "object", None)
    api.register_field(fields.Json, ma.fields.Raw)
    api.register_converter(
        ReferenceConverter, lambda _: {"type": "string", "minLength": 1, "maxLength": 128}
    )


def _tidy(document: dict[str, Any]) -> None:
    """What the generator cannot know: open addresses need no key, PATCH takes a list."""
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                # Every status is declared; the generator's catch-all would hide one that is not.
                operation["responses"].pop("default", None)
    document["components"].get("responses", {}).pop("DEFAULT_ERROR", None)
    for path in ("/healthz", "/readyz", "/r/{code}", "/r/{link_code}/qr.svg"):
        document["paths"][path]["get"]["security"] = []
    patch = document["paths"]["/v1/program/draft"]["patch"]
    operations = {
        "type": "array",
        "maxItems": 200,
        "items": {
            "type": "object",
            "required": ["op", "path"],
            "properties": {
                "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
                "path": {"type": "string"},
                "from": {"type": "string"},
                "value": {},
            },
        },
    }
    patch["requestBody"] = {
        "required": True,
        "content": {
            kind: {"schema": operations}
            for kind in ("application/json", "application/json-patch+json")
        },
    }
    item = document["paths"]["/v1/program/draft/{section}/{key}"]["put"]
    item["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }


@blueprint.get("/v1/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    document = current_app.extensions["dangol.openapi"]
    return Response(jsontext.write(document), mimetype="application/json")


@blueprint.get("/docs")
def docs() -> Response:
    """The reference as a page."""
    response = Response(_PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    )
    return response


@blueprint.get("/docs/<any('swagger-ui.css', 'swagger-ui-bundle.js'):name>")
def docs_file(name: str) -> Response:
    """The page's own files."""
    return send_from_directory(_UI, name, max_age=86_400)


@blueprint.get("/docs/problems")
def problems() -> Response:
    """What the problem types point to."""
    rows = "".join(
        f'<tr id="{code}"><td>{status}</td><td><code>{code}</code></td><td>{meaning}</td></tr>'
        for code, (status, meaning) in CODES.items()
    )
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Problems</title>"
        f"<h1>Problems</h1><table>{rows}</table></html>"
    )
    return Response(page, mimetype="text/html")
