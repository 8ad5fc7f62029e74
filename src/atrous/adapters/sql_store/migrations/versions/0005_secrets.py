"""What the server signs links with, and the sizes of pictures at a glance."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make table and index; a secret is made when it is first needed."""
    op.create_table(
        "signing_secrets",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.create_index("ix_pictures_project_size", "pictures", ["project_id", "width", "height"])


def downgrade() -> None:
    """Drop them: links signed so far are void."""
    op.drop_index("ix_pictures_project_size", "pictures")
    op.drop_table("signing_secrets")
