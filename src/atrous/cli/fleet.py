"""The machine types of the home, for every command that orders or keeps deployments."""

from __future__ import annotations

from atrous.adapters.host import read_machine
from atrous.cli.home import read_config
from atrous.workspace.machine_types import Fleet, read_fleet


def find_fleet() -> Fleet:
    """Read the machine types of the config file, or make some that fit this machine.

    Raises:
        InvalidInputError: if one cannot be.
    """
    return read_fleet(read_config(), read_machine())
