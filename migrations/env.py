"""Alembic's environment: migrations run on the application's own engine and metadata."""

from alembic import context
from click import ClickException
from flask import current_app
from sqlalchemy.exc import OperationalError

from core import db
from server.reporting import unreachable

target_metadata = db.Base.metadata


def run() -> None:
    """Migrate within one transaction where the database can."""
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect().execution_options(is_write=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            compare_type=True,
            render_as_batch=engine.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


try:
    run()
except OperationalError as error:
    text = unreachable(error)
    if text is None:
        raise
    raise ClickException(text) from None
