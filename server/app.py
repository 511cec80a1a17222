"""create_app: settings, database, routes and the command line put together."""

from collections.abc import Callable
from typing import Any

import flask_migrate
import flask_smorest
from flask import Flask

import loyalty.models
import members.models
import orders.models
import programs.models
from config import Settings
from core import auth, db, http, logs
from programs.routes import keys as key_routes
from programs.routes import routes as program_routes
from server import access, cli, health, reference
from storefront import facts
from storefront.routes import routes as storefront_routes

# Imported for their tables.
TABLES = (programs.models, members.models, orders.models, loyalty.models)


class Application(Flask):
    """Flask without coroutines: it asks each hook and view of each request otherwise."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every function of ours is synchronous."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The application, ready to serve; SettingsError when it would start unsafely."""
    settings = settings or Settings.from_env()
    app = Application("dangol", template_folder=None, static_folder=None)
    app.extensions["dangol.settings"] = settings
    logs.init(settings.log_level)
    facts.install()
    db.init(app, settings)
    flask_migrate.Migrate(app, db.db, directory=str(health.MIGRATIONS), compare_type=True)
    http.init(app)
    auth.init(app, access.TABLE)
    app.config |= reference.SETTINGS
    api = flask_smorest.Api(app)
    reference.register_fields(api)
    # flask-smorest answers werkzeug's exceptions its own way; ours are problem details.
    http.handle_exceptions(app)
    for blueprint in (storefront_routes, program_routes, key_routes, health.routes):
        api.register_blueprint(blueprint)
    reference.init(app, api)
    cli.init(app)
    return app
