"""What a platform keeps: unlabelled pictures and their search terms, jobs, evaluations, states and the trash."""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)
EMPTY = sa.text("''")
PUBLIC_ID_BYTES = 10

ADDED = {
    "projects": (
        ("name", sa.String(256), EMPTY),
        ("annotation", sa.String(256), EMPTY),
        ("license", sa.String(256), EMPTY),
        ("updated", MOMENT, None),
        ("deleted", MOMENT, None),
        ("last_version", sa.Integer, "0"),
    ),
    "versions": (
        ("name", sa.String(256), EMPTY),
        ("state", sa.String(16), "ready"),
        ("settings", sa.JSON, "{}"),
        ("source_sha256", sa.String(64), EMPTY),
        ("progress", sa.Float, "1"),
        ("error", sa.String, None),
        ("deleted", MOMENT, None),
    ),
    "trainings": (
        ("model_type", sa.String(64), EMPTY),
        ("started", MOMENT, None),
        ("ended", MOMENT, None),
        ("epochs", sa.JSON, "[]"),
        ("deleted", MOMENT, None),
    ),
}
PICTURE_INDEXES = {
    "ix_pictures_project_split": ("project_id", "split", "mask_sha256"),
    "ix_pictures_project_name": ("project_id", "name"),
    "ix_pictures_project_batch": ("project_id", "batch"),
    "ix_pictures_project_created": ("project_id", "created"),
}
NEW_TABLES = ("evaluations", "jobs", "annotation_jobs", "held_masks", "picture_terms")


def upgrade() -> None:
    """Add columns and tables; a class and tag index is made of the pictures that are there."""
    for table, columns in ADDED.items():
        for name, kind, default in columns:
            op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    with op.batch_alter_table("keys") as batch:
        batch.add_column(sa.Column("previous_digest", sa.String(64)))
        batch.add_column(sa.Column("previous_until", MOMENT))
        batch.create_unique_constraint("uq_keys_previous_digest", ["previous_digest"])
    _change_pictures()
    _create_tables()
    _index_classes()


def downgrade() -> None:
    """Drop them, and with them the pictures without a label."""
    for table in NEW_TABLES:
        op.drop_table(table)
    op.execute("DELETE FROM pictures WHERE mask_sha256 IS NULL")
    for name in PICTURE_INDEXES:
        op.drop_index(name, "pictures")
    with op.batch_alter_table("pictures") as batch:
        batch.drop_constraint("uq_pictures_public_id", type_="unique")
        for name in ("public_id", "batch", "annotation_job", "tags", "metadata", "created"):
            batch.drop_column(name)
        batch.alter_column("mask_sha256", existing_type=sa.String(64), nullable=False)
    with op.batch_alter_table("keys") as batch:
        batch.drop_constraint("uq_keys_previous_digest", type_="unique")
        batch.drop_column("previous_digest")
        batch.drop_column("previous_until")
    for table, columns in ADDED.items():
        for name, *_ in columns:
            op.drop_column(table, name)


def _change_pictures() -> None:
    with op.batch_alter_table("pictures") as batch:
        batch.alter_column("mask_sha256", existing_type=sa.String(64), nullable=True)
        batch.add_column(sa.Column("public_id", sa.String(32)))
        batch.add_column(sa.Column("batch", sa.String(256), nullable=False, server_default=EMPTY))
        batch.add_column(sa.Column("annotation_job", sa.String(32), nullable=False, server_default=EMPTY))
        batch.add_column(sa.Column("tags", sa.JSON, nullable=False, server_default="[]"))
        batch.add_column(sa.Column("metadata", sa.JSON, nullable=False, server_default="{}"))
        batch.add_column(sa.Column("created", MOMENT))
    pictures = sa.table("pictures", sa.column("id", sa.Integer), sa.column("public_id", sa.String))
    connection = op.get_bind()
    named = [
        {"row": row.id, "given": secrets.token_hex(PUBLIC_ID_BYTES)}
        for row in connection.execute(sa.select(pictures.c.id))
    ]
    if named:
        statement = (
            sa.update(pictures).where(pictures.c.id == sa.bindparam("row")).values(public_id=sa.bindparam("given"))
        )
        connection.execute(statement, named)
    with op.batch_alter_table("pictures") as batch:
        batch.alter_column("public_id", existing_type=sa.String(32), nullable=False)
        batch.create_unique_constraint("uq_pictures_public_id", ["public_id"])
    for name, columns in PICTURE_INDEXES.items():
        op.create_index(name, "pictures", list(columns))


def _create_tables() -> None:
    op.create_table(
        "picture_terms",
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("term", sa.String(512), primary_key=True),
        sa.Column(
            "picture_id", sa.Integer, sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, index=True
        ),
    )
    op.create_table(
        "held_masks",
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("batch", sa.String(256), primary_key=True),
        sa.Column("stem", sa.String(512), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
    )
    op.create_table(
        "annotation_jobs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False, index=True),
        *(sa.Column(name, sa.String(256), nullable=False) for name in ("name", "batch", "labeler", "reviewer")),
        sa.Column("pictures", sa.Integer, nullable=False),
        sa.Column("instructions", sa.String, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("workspace", sa.String(64), sa.ForeignKey("workspaces.slug"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("wish", sa.String(16)),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("started", MOMENT),
        sa.Column("ended", MOMENT),
    )
    op.create_index("ix_jobs_state", "jobs", ["state", "seq"])
    op.create_index("ix_jobs_subject", "jobs", ["workspace", "kind", "subject"])
    op.create_table(
        "evaluations",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("workspace", sa.String(64), sa.ForeignKey("workspaces.slug"), nullable=False, index=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("details_sha256", sa.String(64), nullable=False),
        sa.Column("error", sa.String),
        sa.Column("created", MOMENT, nullable=False),
    )


def _index_classes() -> None:
    columns: list[Any] = [sa.column(name) for name in ("id", "project_id")]
    columns.append(sa.column("class_pixels", sa.JSON()))
    pictures = sa.table("pictures", *columns)
    named: list[Any] = [sa.column(name) for name in ("project_id", "kind", "term", "picture_id")]
    terms = sa.table("picture_terms", *named)
    connection = op.get_bind()
    rows: list[dict[str, Any]] = []
    for row in connection.execute(sa.select(pictures)):
        shown: dict[str, int] = row.class_pixels or {}
        place = {"project_id": row.project_id, "kind": "class", "picture_id": row.id}
        rows += [place | {"term": class_id} for class_id in shown]
    if rows:
        connection.execute(sa.insert(terms), rows)
