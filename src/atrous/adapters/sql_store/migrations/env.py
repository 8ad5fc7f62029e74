"""Runs migrations on the connection that the store hands over."""

from alembic import context

from atrous.adapters.sql_store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
