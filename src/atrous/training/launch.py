"""Starts the ranks of a training on this machine and follows them from outside.

Each rank is a process of its own, so that one that is killed, or breaks where others wait for it, ends them all with a
sentence. The listener stays here; the first rank asks it through a pipe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from atrous.core.errors import AtrousError, InvalidInputError, UnavailableError
from atrous.training.listener import SilentListener

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

    from atrous.training.listener import EpochReport, Listener, StepReport
    from atrous.training.recipe import Recipe, TrainingConfig

    Work = Callable[[TrainingConfig, Listener], object]

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class _Asked:
    """The first rank calls the listener."""

    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a rank ended: well, for a reason a person can act on, or by a bug."""

    error: AtrousError | None = None
    trace: str = ""


@dataclass(frozen=True, slots=True)
class _Rank:
    process: BaseProcess
    connection: Connection[Any, Any]


def launch_ranks(work: Work, config: TrainingConfig, listener: Listener) -> None:
    """Do a work in as many processes as the recipe has devices, and come back when all have ended.

    Args:
        work: what each does; importable, and told apart by torch.distributed.
        config: handed to it.
        listener: called in this process.

    Raises:
        InvalidInputError: if there are fewer devices.
        UnavailableError: if a process was killed.
        AtrousError: what the work raised.
    """
    _check_devices(config.recipe)
    # Here, so that it outlives every rank.
    store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    with _start_all(work, config, store.port) as ranks:
        running = {rank.connection: rank for rank in ranks}
        while running:
            for connection in wait(list(running)):
                match _receive(running[connection]):  # pyright: ignore[reportArgumentType]
                    case _Asked(method, arguments):
                        connection.send(getattr(listener, method)(*arguments))  # pyright: ignore
                    case _Ended(None, ""):
                        del running[connection]  # pyright: ignore[reportArgumentType]
                    case first:
                        _raise_cause(first, ranks)


def _check_devices(recipe: Recipe) -> None:
    gpus = torch.cuda.device_count()
    if recipe.device != "cpu" and gpus and recipe.devices > gpus:
        raise InvalidInputError(f"--devices {recipe.devices}: torch finds {gpus} here; choose at most that many")
    if recipe.batch_size < recipe.devices:
        raise InvalidInputError(
            f"--devices {recipe.devices}: a batch of {recipe.batch_size} has not a picture for each; choose fewer "
            "devices or a larger --batch-size"
        )


def _find_context() -> ForkServerContext | SpawnContext:
    """A way to start processes from one that never touched a GPU."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["atrous.training.loop"])
    return context


@contextmanager
def _start_all(work: Work, config: TrainingConfig, port: int) -> Generator[list[_Rank]]:
    context, ranks = _find_context(), list[_Rank]()
    try:
        for index in range(config.recipe.devices):
            ours, theirs = context.Pipe()
            process = context.Process(target=_run_rank, args=(work, config, index, port, theirs))
            process.start()
            theirs.close()
            ranks.append(_Rank(process, ours))
        yield ranks
    finally:
        for rank in ranks:
            # Without effect on those that have ended.
            rank.process.kill()
            rank.process.join()
            rank.connection.close()


def _receive(rank: _Rank) -> _Asked | _Ended | None:
    """What a rank says; None if it can say nothing any more."""
    try:
        return rank.connection.recv()
    except (EOFError, ConnectionResetError):
        return None


def _raise_cause(first: _Ended | None, ranks: Sequence[_Rank]) -> None:
    """Raise what ended the ranks; those that merely lost another one said so after it had said why."""
    said = [first, *(_receive(rank) for rank in ranks if rank.connection.poll())]
    ends = [one for one in said if isinstance(one, _Ended)]
    for end in ends:
        if end.error:
            raise end.error
    if None in said:
        raise UnavailableError(
            f"one of the {len(ranks)} processes of this training was killed; free memory if that was the reason, and "
            "go on with --resume"
        )
    raise RuntimeError("\n".join(end.trace for end in ends))


def _run_rank(work: Work, config: TrainingConfig, index: int, port: int, connection: Connection[Any, Any]) -> None:
    # A terminal sends Ctrl-C to all; the process that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _join(config.recipe, index, port)
        work(config, _FarListener(connection) if index == 0 else SilentListener())
        connection.send(_Ended())
    except AtrousError as error:
        connection.send(_Ended(error))
    except Exception:  # noqa: BLE001 - the process that started this one raises it
        connection.send(_Ended(trace=traceback.format_exc()))
    finally:
        connection.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _join(recipe: Recipe, index: int, port: int) -> None:
    """Meet the other ranks; on a CPU they share its cores."""
    on_gpu = recipe.device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(index)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // recipe.devices))
    store = TCPStore(HOST, port, is_master=False)
    distributed.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=index, world_size=recipe.devices)


class _FarListener:
    """Calls the listener of the process that started this one."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection

    def on_step(self, report: StepReport) -> None:
        self._ask("on_step", report)

    def on_epoch(self, report: EpochReport) -> None:
        self._ask("on_epoch", report)

    def should_stop(self) -> bool:
        return self._ask("should_stop")

    def should_finish(self) -> bool:
        return self._ask("should_finish")

    def _ask(self, method: str, *arguments: Any) -> Any:
        self._connection.send(_Asked(method, arguments))
        return self._connection.recv()
