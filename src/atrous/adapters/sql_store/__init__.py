"""The store in SQL: tables, migrations, and one file of statements per noun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.adapters.sql_store.database import open_sqlite
from atrous.adapters.sql_store.evaluations import SqlEvaluations
from atrous.adapters.sql_store.jobs import SqlQueue
from atrous.adapters.sql_store.keys import SqlKeys
from atrous.adapters.sql_store.models import SqlModels
from atrous.adapters.sql_store.pictures import SqlPictures
from atrous.adapters.sql_store.projects import SqlProjects
from atrous.adapters.sql_store.search import SqlSearch
from atrous.adapters.sql_store.trainings import SqlTrainings
from atrous.adapters.sql_store.versions import SqlVersions
from atrous.adapters.sql_store.workspaces import SqlWorkspaces

if TYPE_CHECKING:
    from pathlib import Path


class SqlStore(
    SqlWorkspaces,
    SqlKeys,
    SqlProjects,
    SqlPictures,
    SqlSearch,
    SqlVersions,
    SqlTrainings,
    SqlModels,
    SqlEvaluations,
    SqlQueue,
):
    """Everything that is a row, in one database; the queue too."""


def open_sqlite_store(path: Path) -> SqlStore:
    """Open a SQLite file (WAL), making it or bringing it up to date first.

    Raises:
        InvalidInputError: if it was made by a newer release or is no database.
        StorageError: if it cannot be opened or written.
    """
    return SqlStore(open_sqlite(path))
