"""How alembic runs our revisions: on a connection that the caller has already opened in a write transaction.

There is no offline mode and no alembic.ini: ``registry.migrate`` sets everything.
"""

from __future__ import annotations

from alembic import context

from registry.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
