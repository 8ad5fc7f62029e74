"""The routes, one file per noun. Their order matters: the v0 route takes every path of two parts that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.server.routes import infer, legacy, life, registry

if TYPE_CHECKING:
    from fastapi import APIRouter

ROUTES: tuple[APIRouter, ...] = (life.router, registry.router, infer.router, legacy.router)
