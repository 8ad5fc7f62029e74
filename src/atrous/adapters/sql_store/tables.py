"""Tables of the store, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String(64), nullable=False, unique=True),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("revoked", DateTime(timezone=True)),
    Column("scope", String(16), nullable=False, server_default="admin"),
    Column("requests_per_minute", Integer),
    Column("previous_digest", String(64), unique=True),
    Column("previous_until", DateTime(timezone=True)),
    Column("rotated", DateTime(timezone=True)),
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("class_names", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("name", String(256), nullable=False, server_default=text("''")),
    Column("annotation", String(256), nullable=False, server_default=text("''")),
    Column("license", String(256), nullable=False, server_default=text("''")),
    Column("updated", DateTime(timezone=True)),
    Column("deleted", DateTime(timezone=True)),
    Column("last_version", Integer, nullable=False, server_default="0"),
    UniqueConstraint("workspace", "slug"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", String().with_variant(String(collation="C"), "postgresql"), nullable=False),
    Column("image_sha256", String(64), nullable=False),
    Column("mask_sha256", String(64)),
    Column("split", String(8), nullable=False),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("class_pixels", JSON, nullable=False, server_default="{}"),
    Column("look", LargeBinary, nullable=False, server_default=text("''")),
    Column("source_sha256", String(64), nullable=False, server_default=text("''")),
    Column("pending", String(16)),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("batch", String(256), nullable=False, server_default=text("''")),
    Column("annotation_job", String(32), nullable=False, server_default=text("''")),
    Column("tags", JSON, nullable=False, server_default="[]"),
    Column("metadata", JSON, nullable=False, server_default="{}"),
    Column("created", DateTime(timezone=True), nullable=False),
    UniqueConstraint("project_id", "image_sha256"),
    Index("ix_pictures_project_size", "project_id", "width", "height"),
    Index("ix_pictures_project_split", "project_id", "split", "mask_sha256"),
    Index("ix_pictures_project_name", "project_id", "name", "public_id"),
    Index("ix_pictures_project_batch", "project_id", "batch"),
    Index("ix_pictures_project_created", "project_id", "created", "public_id"),
)

# What pictures are searched by, one row each: `kind` is tag, class (its id as text) or metadata (`name=value`).
picture_terms = Table(
    "picture_terms",
    metadata,
    Column("project_id", Integer, ForeignKey("projects.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("term", String(512), primary_key=True),
    Column("picture_id", Integer, ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, index=True),
)

held_masks = Table(
    "held_masks",
    metadata,
    Column("project_id", Integer, ForeignKey("projects.id"), primary_key=True),
    Column("batch", String(256), primary_key=True),
    Column("stem", String(512), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)

annotation_jobs = Table(
    "annotation_jobs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", String(256), nullable=False),
    Column("batch", String(256), nullable=False),
    Column("pictures", Integer, nullable=False),
    Column("labeler", String(256), nullable=False),
    Column("reviewer", String(256), nullable=False),
    Column("instructions", String, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("class_names", JSON, nullable=False),
    Column("preprocessing", JSON, nullable=False),
    Column("pictures", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("name", String(256), nullable=False, server_default=text("''")),
    Column("state", String(16), nullable=False, server_default="ready"),
    Column("settings", JSON, nullable=False, server_default="{}"),
    Column("source_sha256", String(64), nullable=False, server_default=text("''")),
    Column("progress", Float, nullable=False, server_default="1"),
    Column("error", String),
    Column("deleted", DateTime(timezone=True)),
    UniqueConstraint("project_id", "number"),
)

trainings = Table(
    "trainings",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False),
    Column("project", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", String),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("model_type", String(64), nullable=False, server_default=text("''")),
    Column("started", DateTime(timezone=True)),
    Column("ended", DateTime(timezone=True)),
    Column("epochs", JSON, nullable=False, server_default="[]"),
    Column("deleted", DateTime(timezone=True)),
)

jobs = Table(
    "jobs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("wish", String(16)),
    Column("owner", String(64), nullable=False),
    Column("leased_until", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("result", JSON, nullable=False),
    Column("error", String),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("started", DateTime(timezone=True)),
    Column("ended", DateTime(timezone=True)),
    Index("ix_jobs_state", "state", "seq"),
    Index("ix_jobs_subject", "workspace", "kind", "subject"),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False, index=True),
    Column("project", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("model", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("summary", JSON, nullable=False),
    Column("details_sha256", String(64), nullable=False),
    Column("error", String),
    Column("created", DateTime(timezone=True), nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False),
    Column("slug", String(128), nullable=False),
    Column("project", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("training", String(32), ForeignKey("trainings.id"), nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    UniqueConstraint("workspace", "slug"),
)

signing_secrets = Table(
    "signing_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(64), nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False, index=True),
    Column("machine_type", String(64), nullable=False),
    Column("creator_email", String(320), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("models", JSON, nullable=False),
    Column("expires", DateTime(timezone=True)),
    Column("delete_on_expiration", Boolean, nullable=False),
    Column("inference_version", String(64), nullable=False),
    Column("wish", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("message", String, nullable=False),
    Column("address", String(256), nullable=False),
    Column("served_revision", Integer, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("leased_until", DateTime(timezone=True)),
    Column("restarts", Integer, nullable=False),
    Column("changed", DateTime(timezone=True)),
)

deployment_log = Table(
    "deployment_log",
    metadata,
    Column("deployment", String(64), ForeignKey("deployments.name", ondelete="CASCADE"), primary_key=True),
    # Read in the order of their characters, whatever the database's language.
    Column("insert_id", String(64).with_variant(String(64, collation="C"), "postgresql"), primary_key=True),
    Column("timestamp", DateTime(timezone=True), nullable=False),
    Column("payload", String, nullable=False),
    Index("ix_deployment_log_timestamp", "deployment", "timestamp", "insert_id"),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("workspace", String(64), ForeignKey("workspaces.slug"), primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("deployment", String(64), primary_key=True),
    Column("model", String(256), primary_key=True),
    Column("key_id", String(16), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("pictures", BigInteger, nullable=False),
    Column("compute_s", Float, nullable=False),
)
