"""Where everything lies: `ATROUS_HOME`, its config file, and the ports opened on it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import platformdirs
import typer

from atrous.adapters.home import open_home
from atrous.core.errors import InvalidInputError
from atrous.workspace.workspaces import choose_workspace

if TYPE_CHECKING:
    from atrous.workspace.ports import Ports

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
    ports = open_home(find_home())
    return ports, choose_workspace(ports, workspace)


def read_config() -> dict[str, Any]:
    """The home's `config.toml`, empty if there is none.

    Raises:
        InvalidInputError: if it is not TOML or cannot be read.
    """
    path = find_home() / "config.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: is not valid TOML ({error}); correct it or remove it") from error
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
