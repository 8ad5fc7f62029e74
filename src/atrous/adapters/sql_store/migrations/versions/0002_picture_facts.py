"""What an import learns of each picture: pixels by class, its look, what its source said, a split yet to be chosen."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; pictures of older imports have nothing in them."""
    op.add_column("pictures", sa.Column("class_pixels", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("pictures", sa.Column("look", sa.LargeBinary, nullable=False, server_default=sa.text("''")))
    op.add_column("pictures", sa.Column("source_sha256", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.add_column("pictures", sa.Column("pending", sa.String(16)))


def downgrade() -> None:
    """Drop them."""
    for column in ("pending", "source_sha256", "look", "class_pixels"):
        op.drop_column("pictures", column)
