"""How a network is run, as options of commands that predict in this process."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from atrous.runtime.loading import AUTO, BACKEND_CHOICES, PRECISIONS, EngineOptions

PrecisionOption: TypeAlias = Annotated[
    str | None, typer.Option(help=f"How the network is run: {', '.join(PRECISIONS)} \\[default: {AUTO}].")
]
BackendOption: TypeAlias = Annotated[
    str | None, typer.Option(help=f"What runs it: {', '.join(BACKEND_CHOICES)} \\[default: {AUTO}].")
]


def choose_engine(precision: str | None, backend: str | None) -> EngineOptions:
    """The wish of a command's options.

    Raises:
        InvalidInputError: if there is no such precision or backend.
    """
    return EngineOptions(precision=precision or AUTO, backend=backend or AUTO)
