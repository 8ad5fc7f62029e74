"""Dedicated deployments, what they log, and what models are used for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MOMENT = sa.DateTime(timezone=True)
NEW_TABLES = ("usage_hours", "deployment_log", "deployments")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "deployments",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("workspace", sa.String(64), sa.ForeignKey("workspaces.slug"), nullable=False, index=True),
        sa.Column("machine_type", sa.String(64), nullable=False),
        sa.Column("creator_email", sa.String(320), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("expires", MOMENT),
        sa.Column("delete_on_expiration", sa.Boolean, nullable=False),
        sa.Column("inference_version", sa.String(64), nullable=False),
        sa.Column("wish", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("address", sa.String(256), nullable=False),
        sa.Column("served_revision", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.Column("restarts", sa.Integer, nullable=False),
        sa.Column("changed", MOMENT),
        sa.UniqueConstraint("name", name="uq_deployments_name"),
    )
    _make_log()
    op.create_table(
        "usage_hours",
        sa.Column("workspace", sa.String(64), sa.ForeignKey("workspaces.slug"), primary_key=True),
        sa.Column("hour", MOMENT, primary_key=True),
        sa.Column("deployment", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("pictures", sa.BigInteger, nullable=False),
        sa.Column("compute_s", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Forget all deployments and all use."""
    for table in NEW_TABLES:
        op.drop_table(table)


def _make_log() -> None:
    insert_id = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
    owner = sa.ForeignKey("deployments.name", ondelete="CASCADE")
    op.create_table(
        "deployment_log",
        sa.Column("deployment", sa.String(64), owner, primary_key=True),
        sa.Column("insert_id", insert_id, primary_key=True),
        sa.Column("timestamp", MOMENT, nullable=False),
        sa.Column("payload", sa.String, nullable=False),
    )
    op.create_index("ix_deployment_log_timestamp", "deployment_log", ["deployment", "timestamp", "insert_id"])
