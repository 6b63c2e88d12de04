"""The public REST API under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from console.dependencies import Dependencies


def api_router(deps: Dependencies) -> APIRouter:  # noqa: ARG001 -- filled next
    """All of it."""
    return APIRouter(prefix="/api/v1")
