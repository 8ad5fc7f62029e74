"""Rows of the secrets that the server signs with."""

from __future__ import annotations

from sqlalchemy import select

from atrous.adapters.sql_store.database import SqlTable, insert_or_ignore
from atrous.adapters.sql_store.tables import signing_secrets


class SqlSigningSecrets(SqlTable):
    """Secrets by name, shared by all servers of one store."""

    def keep_secret(self, name: str, fresh: str) -> str:
        """Give the secret of this name, which is `fresh` where there was none."""
        statement = select(signing_secrets.c.value).where(signing_secrets.c.name == name)
        with self._read() as connection:
            kept = connection.scalar(statement)
        if kept is not None:
            return kept
        with self._write() as connection:
            row = {"name": name, "value": fresh}
            connection.execute(insert_or_ignore(connection, signing_secrets, "name").values(row))
            return connection.execute(statement).scalar_one()
