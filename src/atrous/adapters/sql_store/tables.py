"""Tables of the store, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
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
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", String(64), ForeignKey("workspaces.slug"), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("class_names", JSON, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    UniqueConstraint("workspace", "slug"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("image_sha256", String(64), nullable=False),
    Column("mask_sha256", String(64), nullable=False),
    Column("split", String(8), nullable=False),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("class_pixels", JSON, nullable=False, server_default="{}"),
    Column("look", LargeBinary, nullable=False, server_default=text("''")),
    Column("source_sha256", String(64), nullable=False, server_default=text("''")),
    Column("pending", String(16)),
    UniqueConstraint("project_id", "image_sha256"),
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
