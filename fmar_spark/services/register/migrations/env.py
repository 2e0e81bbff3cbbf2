"""Runs the steps on the connection that the caller opened, or writes one anew from tables.py for a developer."""

from alembic import context

from fmar_spark.services.register.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
