"""Rows of API keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, insert, or_, select, update

from atrous.adapters.sql_store.database import SqlTable, utc, utc_or_none
from atrous.adapters.sql_store.tables import keys
from atrous.workspace.records import Key, Scope

if TYPE_CHECKING:
    from datetime import datetime


class SqlKeys(SqlTable):
    """Keys by the hash of their secret."""

    def add_key(self, key: Key, digest: str) -> None:
        """Keep a key under the hash of its secret."""
        row = {
            "id": key.id,
            "workspace": key.workspace,
            "name": key.name,
            "prefix": key.prefix,
            "digest": digest,
            "created": key.created,
            "revoked": key.revoked,
            "scope": key.scope.value,
            "requests_per_minute": key.requests_per_minute,
        }
        with self._write() as connection:
            connection.execute(insert(keys).values(row))

    def find_key(self, digest: str) -> Key | None:
        """The key of this hash, revoked ones included."""
        with self._read() as connection:
            either = or_(keys.c.digest == digest, keys.c.previous_digest == digest)
            row = connection.execute(select(keys).where(either)).one_or_none()
        if row is None:
            return None
        key = _read_key(row)
        if row.digest == digest or key.revoked:
            return key
        # The secret before the last: valid for its grace alone.
        return replace(key, revoked=utc(row.previous_until))

    def list_keys(self, workspace: str) -> list[Key]:
        """Oldest first, revoked ones included."""
        with self._read() as connection:
            rows = connection.execute(select(keys).where(keys.c.workspace == workspace).order_by(keys.c.created))
            return [_read_key(row) for row in rows]

    def revoke_key(self, workspace: str, key_id: str, when: datetime) -> bool:
        """Mark a key as revoked; False if there is none of this id that is still valid."""
        statement = (
            update(keys)
            .where(keys.c.workspace == workspace, keys.c.id == key_id, keys.c.revoked.is_(None))
            .values(revoked=when)
        )
        with self._write() as connection:
            return connection.execute(statement).rowcount == 1

    def rotate_key(
        self, workspace: str, key_id: str, digest: str, prefix: str, *, when: datetime, grace_until: datetime
    ) -> bool:
        """Give a key another secret; its last one stays valid until then. False if there is no such valid key."""
        statement = (
            update(keys)
            .where(keys.c.workspace == workspace, keys.c.id == key_id, keys.c.revoked.is_(None))
            .values(
                previous_digest=keys.c.digest, previous_until=grace_until, digest=digest, prefix=prefix, rotated=when
            )
        )
        with self._write() as connection:
            return connection.execute(statement).rowcount == 1


def _read_key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        prefix=row.prefix,
        created=utc(row.created),
        revoked=utc_or_none(row.revoked),
        scope=Scope(row.scope),
        requests_per_minute=row.requests_per_minute,
        rotated=utc_or_none(row.rotated),
    )
