"""Run by alembic: migrate on the connection that `upgrade` opened."""

from alembic import context

from connector.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
