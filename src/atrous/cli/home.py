"""Where everything lies: `ATROUS_HOME`, its config file, and the ports opened on it."""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import platformdirs
import typer

from atrous.adapters.home import Places, open_home
from atrous.core.errors import InvalidInputError, NotFoundError
from atrous.workspace.workspaces import choose_workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.workspace.ports import Ports

CONFIG = "config.toml"
WorkspaceOption = Annotated[
    str | None,
    typer.Option("--workspace", envvar="ATROUS_WORKSPACE", help="Workspace slug \\[default: the first one]."),
]


def find_home() -> Path:
    """The folder named by `ATROUS_HOME`, or the user's data folder."""
    named = os.environ.get("ATROUS_HOME")
    return Path(named).expanduser().absolute() if named else Path(platformdirs.user_data_path("atrous"))


def open_ports(workspace: str | None) -> tuple[Ports, str]:
    """Open the home and choose the workspace to act on."""
    ports = open_home(find_home(), find_places())
    return ports, choose_workspace(ports, workspace)


def open_existing_ports() -> Ports:
    """Open a home that is there.

    Raises:
        NotFoundError: if it is not.
    """
    home = find_home()
    if not home.is_dir():
        raise NotFoundError(f"{home}: there is no home of Atrous; set ATROUS_HOME to it")
    return open_home(home, find_places())


def find_places() -> Places:
    """What lies elsewhere than in the home, as ATROUS_… variables say, or else its config file."""
    return choose_places(read_config())


def choose_places(config: Mapping[str, Any]) -> Places:
    """The same for a config file that was read already.

    Raises:
        InvalidInputError: if one of them has another form.
    """
    chosen = {
        field.name: os.environ.get(f"ATROUS_{field.name.upper()}") or config.get(field.name, field.default)
        for field in fields(Places)
    }
    for name in ("database_url", "blobs_url"):
        if not isinstance(chosen[name], str):
            raise InvalidInputError(f"{name} in {CONFIG}: is no text; put it in quotes")
    try:
        cache_bytes = int(chosen["blob_cache_bytes"])
    except (TypeError, ValueError):
        cache_bytes = 0
    if cache_bytes < 1:
        raise InvalidInputError(f"blob_cache_bytes: {chosen['blob_cache_bytes']!r} is no number of bytes; correct it")
    return Places(chosen["database_url"], chosen["blobs_url"], cache_bytes)


def read_config(home: Path | None = None) -> dict[str, Any]:
    """The `config.toml` of a home, of ours unless another is given; empty if there is none.

    Raises:
        InvalidInputError: if it is not TOML or cannot be read.
    """
    path = (home or find_home()) / CONFIG
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: is not valid TOML ({error}); correct it or remove it") from error
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
