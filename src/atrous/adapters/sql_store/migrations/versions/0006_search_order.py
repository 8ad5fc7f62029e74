"""Pictures in orders that a page can go on from, and when a key was last given another secret."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MOMENT = sa.DateTime(timezone=True)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
NEW_INDEXES = {
    "ix_pictures_project_name": ("project_id", "name", "public_id"),
    "ix_pictures_project_created": ("project_id", "created", "public_id"),
}
OLD_INDEXES = {
    "ix_pictures_project_name": ("project_id", "name"),
    "ix_pictures_project_created": ("project_id", "created"),
}


def upgrade() -> None:
    """Pictures without a time of their own came long ago; names are sorted by their characters everywhere."""
    op.add_column("keys", sa.Column("rotated", MOMENT))
    _drop_indexes()
    pictures = sa.table("pictures", sa.column("created", MOMENT))
    op.execute(sa.update(pictures).where(pictures.c.created.is_(None)).values(created=LONG_AGO))
    with op.batch_alter_table("pictures") as batch:
        batch.alter_column("created", existing_type=MOMENT, nullable=False)
    _sort_names_by("C")
    for name, columns in NEW_INDEXES.items():
        op.create_index(name, "pictures", list(columns))


def downgrade() -> None:
    """Give the pictures without a time None back."""
    _drop_indexes()
    with op.batch_alter_table("pictures") as batch:
        batch.alter_column("created", existing_type=MOMENT, nullable=True)
    pictures = sa.table("pictures", sa.column("created", MOMENT))
    op.execute(sa.update(pictures).where(pictures.c.created == LONG_AGO).values(created=None))
    _sort_names_by("default")
    for name, columns in OLD_INDEXES.items():
        op.create_index(name, "pictures", list(columns))
    with op.batch_alter_table("keys") as batch:
        batch.drop_column("rotated")


def _drop_indexes() -> None:
    for name in NEW_INDEXES:
        op.drop_index(name, "pictures")


def _sort_names_by(collation: str) -> None:
    """SQLite compares characters already."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f'ALTER TABLE pictures ALTER COLUMN name TYPE VARCHAR COLLATE "{collation}"')
