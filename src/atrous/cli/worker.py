"""`atrous worker`: does the jobs that are queued."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.adapters.home import open_home
from atrous.cli.ending import call_at_eof
from atrous.cli.home import find_home, find_places, open_ports, read_config
from atrous.cli.terminal import say
from atrous.core.errors import InvalidInputError
from atrous.server.logs import set_up_logging
from atrous.server.settings import read_settings
from atrous.worker.jobs import JOBS
from atrous.worker.running import Plan, Worker
from atrous.workspace.records import JobKind

if TYPE_CHECKING:
    from types import FrameType

    from atrous.worker.watch import Work


def worker(
    kinds: Annotated[str | None, typer.Option(help="Kinds of jobs, such as train,export \\[default: all].")] = None,
    slots: Annotated[
        int, typer.Option(min=1, max=64, help="Trainings at a time, and other jobs at a time beside them.")
    ] = 1,
    once: Annotated[bool, typer.Option("--once", help="End when no job is left.")] = False,
    log_format: Annotated[str | None, typer.Option(help="people or json \\[default: people].")] = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> None:
    """Do queued jobs: versions, exports, trainings, evaluations, each in a process of its own.

    `atrous serve` starts one by itself; more may run beside it, on other machines too where the database is PostgreSQL.
    Ctrl-C or SIGTERM gives jobs back after a checkpoint; a killed worker's jobs are taken up by another one, within a
    quarter of a minute.
    """
    settings = read_settings(os.environ, read_config(), {"log_format": log_format})
    set_up = partial(set_up_logging, settings.log_format, settings.log_level)
    set_up()
    home, places = find_home(), find_places()
    plan = Plan(_choose(kinds), home, partial(open_home, home, places), set_up, slots)
    running = Worker(open_ports(None)[0], plan)
    _end_when_asked(running, until_eof=until_eof)
    say(f"working for {home}: {', '.join(plan.jobs)} (Ctrl-C ends)")
    running.run(once=once)


def _choose(kinds: str | None) -> dict[JobKind, Work]:
    names = [kind.value for kind in JOBS] if kinds is None else [name.strip() for name in kinds.split(",")]
    for name in names:
        if name not in {kind.value for kind in JOBS}:
            raise InvalidInputError(f"--kinds {name}: unknown; choose of {', '.join(JOBS)}")
    return {JobKind(name): JOBS[JobKind(name)] for name in names}


def _end_when_asked(running: Worker, *, until_eof: bool) -> None:
    def on_signal(sig: int, _frame: FrameType | None) -> None:
        if sig == signal.SIGINT:
            # The next one ends at once, without a checkpoint.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        running.ask_to_end()

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, on_signal)
    if until_eof:
        call_at_eof(running.ask_to_end)
