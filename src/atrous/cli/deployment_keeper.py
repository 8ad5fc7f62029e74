"""`atrous deployment keep`: runs the deployments of this host. `atrous serve` starts it by itself."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.adapters.host import read_machine
from atrous.cli.deployment_options import read_options
from atrous.cli.ending import call_at_eof
from atrous.cli.home import open_ports, read_config
from atrous.server.logs import set_up_logging
from atrous.server.settings import read_settings
from atrous.worker.deployments.keeper import Keeper, Plan
from atrous.worker.deployments.pace import DEFAULT_PACE
from atrous.workspace.machine_types import read_fleet

if TYPE_CHECKING:
    from types import FrameType

# Beside the time that a server gives to what it began: for its end.
SLACK_S = 5


def keep(
    options: Annotated[str | None, typer.Option("--settings", hidden=True)] = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> None:
    """Run the deployments of this host until Ctrl-C or SIGTERM.

    Hosts that share a database share the deployments. Those of a host that is killed are taken up by another one within
    a quarter of a minute.
    """
    given, config = read_options(options), read_config()
    settings = read_settings(os.environ, config, given)
    set_up_logging(settings.log_format, settings.log_level)
    machine = read_machine()
    plan = Plan(
        types=read_fleet(config, machine).types,
        machine=machine,
        cores=_list_cores(),
        host=settings.deployments_host,
        options=given,
        pace=replace(DEFAULT_PACE, drain_s=settings.shutdown_delay_s + settings.shutdown_timeout_s + SLACK_S),
    )
    keeper = Keeper(open_ports(None)[0], plan)

    def end(_sig: int, _frame: FrameType | None) -> None:
        keeper.ask_to_end()

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, end)
    if until_eof:
        call_at_eof(keeper.ask_to_end)
    keeper.run()


def _list_cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
