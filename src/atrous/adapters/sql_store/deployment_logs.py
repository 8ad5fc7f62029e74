"""Rows of what deployments logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from atrous.adapters.sql_store.database import SqlTable, insert_or_ignore, utc
from atrous.adapters.sql_store.tables import deployment_log, deployments
from atrous.workspace.deployment import LogEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class SqlDeploymentLogs(SqlTable):
    """The newest lines of each deployment."""

    def add_log_entries(self, deployment: str, entries: Sequence[LogEntry], *, keep: int) -> None:
        """Append lines, and forget the oldest where more than `keep` are there.

        Lines that are there already, and those of a deployment that is gone, are left out.
        """
        rows = [
            {
                "deployment": deployment,
                "insert_id": entry.insert_id,
                "timestamp": entry.timestamp,
                "payload": entry.payload,
            }
            for entry in entries
        ]
        owner = select(deployments.c.seq).where(deployments.c.name == deployment)
        of_deployment = deployment_log.c.deployment == deployment
        newest = select(deployment_log.c.insert_id).where(of_deployment).order_by(deployment_log.c.insert_id.desc())
        with self._write() as connection:
            # So that it is not removed meanwhile.
            if not rows or connection.scalar(owner.with_for_update(read=True, key_share=True)) is None:
                return
            connection.execute(insert_or_ignore(connection, deployment_log, "deployment", "insert_id"), rows)
            first_forgotten = connection.scalar(newest.offset(keep).limit(1))
            if first_forgotten is not None:
                old = deployment_log.c.insert_id <= first_forgotten
                connection.execute(delete(deployment_log).where(of_deployment, old))

    def list_log_entries(self, deployment: str, since: datetime, until: datetime, limit: int) -> list[LogEntry]:
        """Lines of [since, until], newest first, at most `limit`."""
        moment = deployment_log.c.timestamp
        statement = (
            select(deployment_log)
            .where(deployment_log.c.deployment == deployment, moment >= since, moment <= until)
            .order_by(moment.desc(), deployment_log.c.insert_id.desc())
            .limit(limit)
        )
        with self._read() as connection:
            rows = connection.execute(statement)
            return [LogEntry(row.insert_id, utc(row.timestamp), row.payload) for row in rows]
