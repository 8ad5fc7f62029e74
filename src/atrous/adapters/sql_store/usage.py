"""Rows of what models were used for, by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from atrous.adapters.sql_store.database import SqlTable, insert_or_add, utc
from atrous.adapters.sql_store.tables import usage_hours
from atrous.workspace.deployment import UsageHour

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

PLACE = ("workspace", "hour", "deployment", "model", "key_id")


class SqlUsage(SqlTable):
    """What each key asked of each model, hour by hour."""

    def add_usage(self, hours: Sequence[UsageHour]) -> None:
        """Add to what is known of these hours."""
        # In one order everywhere, so that two processes never wait for each other's rows.
        rows = [
            {
                "workspace": hour.workspace,
                "hour": hour.hour,
                "deployment": hour.deployment,
                "model": hour.model,
                "key_id": hour.key_id,
                "requests": hour.requests,
                "pictures": hour.pictures,
                "compute_s": hour.compute_s,
            }
            for hour in sorted(hours, key=lambda one: (one.workspace, one.hour, one.deployment, one.model, one.key_id))
        ]
        if rows:
            with self._write() as connection:
                connection.execute(insert_or_add(connection, usage_hours, *PLACE), rows)

    def list_usage(
        self, workspace: str, since: datetime, until: datetime, deployment: str | None = None
    ) -> list[UsageHour]:
        """Hours that began in [since, until), oldest first; of one deployment if it is named."""
        of_deployment = [usage_hours.c.deployment == deployment] if deployment is not None else []
        hour = usage_hours.c.hour
        statement = (
            select(usage_hours)
            .where(usage_hours.c.workspace == workspace, hour >= since, hour < until, *of_deployment)
            .order_by(*(usage_hours.c[name] for name in PLACE))
        )
        with self._read() as connection:
            return [
                UsageHour(
                    workspace=row.workspace,
                    deployment=row.deployment,
                    model=row.model,
                    key_id=row.key_id,
                    hour=utc(row.hour),
                    requests=row.requests,
                    pictures=row.pictures,
                    compute_s=row.compute_s,
                )
                for row in connection.execute(statement)
            ]
