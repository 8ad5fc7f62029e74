"""The store in SQL: tables, migrations, and one file of statements per noun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.adapters.sql_store.deployment_logs import SqlDeploymentLogs
from atrous.adapters.sql_store.deployments import SqlDeployments
from atrous.adapters.sql_store.evaluations import SqlEvaluations
from atrous.adapters.sql_store.jobs import SqlQueue
from atrous.adapters.sql_store.keys import SqlKeys
from atrous.adapters.sql_store.models import SqlModels
from atrous.adapters.sql_store.picture_sizes import SqlPictureSizes
from atrous.adapters.sql_store.pictures import SqlPictures
from atrous.adapters.sql_store.postgres_engine import open_postgres
from atrous.adapters.sql_store.projects import SqlProjects
from atrous.adapters.sql_store.search import SqlSearch
from atrous.adapters.sql_store.signing_secrets import SqlSigningSecrets
from atrous.adapters.sql_store.snapshots import SqlSnapshots
from atrous.adapters.sql_store.sqlite_engine import open_sqlite
from atrous.adapters.sql_store.trainings import SqlTrainings
from atrous.adapters.sql_store.trash import SqlTrash
from atrous.adapters.sql_store.usage import SqlUsage
from atrous.adapters.sql_store.versions import SqlVersions
from atrous.adapters.sql_store.workspaces import SqlWorkspaces

if TYPE_CHECKING:
    from pathlib import Path


class SqlStore(
    SqlWorkspaces,
    SqlKeys,
    SqlProjects,
    SqlPictures,
    SqlPictureSizes,
    SqlSearch,
    SqlVersions,
    SqlTrainings,
    SqlModels,
    SqlEvaluations,
    SqlQueue,
    SqlSigningSecrets,
    SqlDeployments,
    SqlDeploymentLogs,
    SqlUsage,
    SqlTrash,
    SqlSnapshots,
):
    """Everything that is a row, in one database; the queue too."""


def open_sqlite_store(path: Path) -> SqlStore:
    """Open a SQLite file (WAL), making it or bringing it up to date first.

    Raises:
        InvalidInputError: if it was made by a newer release or is no database.
        StorageError: if it cannot be opened or written.
    """
    return SqlStore(open_sqlite(path))


def open_postgres_store(url: str) -> SqlStore:
    """Connect to a PostgreSQL database, making its tables or bringing them up to date first.

    Raises:
        InvalidInputError: if the URL is none of PostgreSQL, or the database was made by a newer release.
        MissingExtraError: if this installation lacks the driver.
        UnavailableError: if it cannot be reached, or does not let us in.
    """
    return SqlStore(open_postgres(url))
