"""How Alembic meets the store: on the connection and in the transaction it is handed."""

from alembic import context

from velour_plugin.store.sql.schema import metadata

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=metadata,
    version_table=attributes["version_table"],
)
context.run_migrations()
