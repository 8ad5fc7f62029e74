"""What a key may do and how often; keys made before may do everything, as often as the server lets them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("keys", sa.Column("scope", sa.String(16), nullable=False, server_default="admin"))
    op.add_column("keys", sa.Column("requests_per_minute", sa.Integer))


def downgrade() -> None:
    """Drop them."""
    for column in ("requests_per_minute", "scope"):
        op.drop_column("keys", column)
