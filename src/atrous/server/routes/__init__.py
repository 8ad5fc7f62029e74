"""The routes, one file per noun. Their order matters: the v0 route takes every path of two parts that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.server.routes import absent, infer, legacy, life, logs, metrics, pages, registry, workflows

if TYPE_CHECKING:
    from fastapi import APIRouter

ROUTES: tuple[APIRouter, ...] = (
    pages.router,
    life.router,
    metrics.router,
    logs.router,
    registry.router,
    infer.router,
    workflows.router,
    absent.router,
    legacy.router,
)
