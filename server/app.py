"""create_app: settings, database, routes and the command line put together."""

from collections.abc import Callable, Sequence
from typing import Any

import flask_migrate
import flask_smorest
import sqlalchemy as sa
from flask import Flask

import loyalty.cards.models
import loyalty.limits.models
import loyalty.models
import loyalty.tiers.models
import members.models
import orders.models
import programs.models
import referrals.models
import rewards.luck.models
import rewards.models
import rewards.surprises.models
import segments.models
import webhooks.models
from analytics.backtests.routes import routes as backtest_routes
from analytics.routes import routes as report_routes
from config import Settings
from core import auth, db, http, jobs, logs
from programs import versions
from programs.routes import keys as key_routes
from programs.routes import routes as program_routes
from referrals import counting
from server import access, cli, health, reference
from storefront import facts
from storefront.activities.activity_routes import routes as activity_routes
from storefront.budgets.budget_routes import routes as budget_routes
from storefront.fairness import publishing
from storefront.fairness.fairness_routes import routes as fairness_routes
from storefront.granting.granting_routes import routes as granting_routes
from storefront.membership.membership_routes import routes as membership_routes
from storefront.payables.payable_routes import routes as payable_routes
from storefront.points.points_routes import routes as points_routes
from storefront.program_routes import routes as impact_routes
from storefront.redeeming.reward_routes import routes as reward_routes
from storefront.redeeming.routes import routes as redemption_routes
from storefront.referring.links.click_routes import routes as click_routes
from storefront.referring.links.link_routes import public_routes as link_picture_routes
from storefront.referring.links.link_routes import routes as link_routes
from storefront.referring.review.review_routes import routes as review_routes
from storefront.routes import routes as storefront_routes
from storefront.segmenting.segment_routes import routes as segment_routes
from storefront.surprising.routes import routes as surprise_routes
from storefront.vouchers.voucher_routes import routes as voucher_routes
from webhooks import deliveries
from webhooks.routes import routes as webhook_routes
from widget import cors, tokens
from widget.routes import routes as widget_routes

# Imported for their tables.
TABLES = (
    programs.models,
    members.models,
    orders.models,
    loyalty.models,
    loyalty.cards.models,
    loyalty.limits.models,
    segments.models,
    rewards.models,
    rewards.luck.models,
    rewards.surprises.models,
    referrals.models,
    webhooks.models,
    jobs,
)

BLUEPRINTS = (
    storefront_routes,
    points_routes,
    membership_routes,
    activity_routes,
    granting_routes,
    payable_routes,
    budget_routes,
    fairness_routes,
    reward_routes,
    redemption_routes,
    voucher_routes,
    surprise_routes,
    click_routes,
    link_routes,
    link_picture_routes,
    review_routes,
    segment_routes,
    report_routes,
    backtest_routes,
    program_routes,
    impact_routes,
    webhook_routes,
    key_routes,
    widget_routes,
    health.routes,
)


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
    versions.install(publishing.begin)
    counting.init(app)
    db.init(app, settings)
    deliveries.init(app, settings, read_member_refs=_read_member_refs)
    flask_migrate.Migrate(app, db.db, directory=str(health.MIGRATIONS), compare_type=True)
    http.init(app)
    cors.init(app)
    auth.init(app, access.TABLE, read_member_token=tokens.resolve)
    app.config |= reference.SETTINGS
    api = flask_smorest.Api(app)
    reference.register_fields(api)
    # flask-smorest answers werkzeug's exceptions its own way; ours are problem details.
    http.handle_exceptions(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    reference.init(app, api)
    cli.init(app)
    return app


def _read_member_refs(
    connection: sa.Connection,
    program_id: bytes,
    member_ids: Sequence[bytes],
    *,
    is_locking: bool = False,
) -> dict[bytes, str]:
    """What webhooks say of members, whom their package does not know."""
    member = members.models.Member
    statement = sa.select(member.id, member.member_ref).where(
        member.program_id == program_id, member.id.in_(member_ids), member.erased_at.is_(None)
    )
    if is_locking:
        # Shared: whoever erases them waits, or is waited for.
        statement = statement.order_by(member.id).with_for_update(read=True)
    return {bytes(row.id): row.member_ref for row in connection.execute(statement)}
