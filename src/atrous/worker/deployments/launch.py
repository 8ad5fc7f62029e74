"""How the server of a deployment is started."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atrous.workspace.deployment import Deployment
    from atrous.workspace.machine_types import MachineType


@dataclass(frozen=True, slots=True)
class Launch:
    """A command, and what its process may take.

    Attributes:
        command: its process tells its address to a file descriptor, whose number is still to be appended.
        environment: variables besides the keeper's own.
        cores: numbers of those that it keeps to; empty for all.
        memory_bytes: over which it is ended.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    cores: Sequence[int]
    memory_bytes: int


def plan_launch(
    deployment: Deployment,
    machine: MachineType,
    *,
    host: str,
    options: Mapping[str, Any],
    cores: Sequence[int],
    gpus: Sequence[int],
) -> Launch:
    """A server of one workspace with its models in memory, within what its machine type gives.

    Args:
        deployment: what is ordered.
        machine: of its type.
        host: address to listen on; the port is a free one.
        options: settings of the shared server that its command line says.
        cores: numbers of the cores that it keeps to.
        gpus: numbers of its GPUs; without any, it sees none.
    """
    settings: dict[str, Any] = {
        **options,
        "host": host,
        "port": 0,
        "deployment": deployment.name,
        "only_workspace": deployment.workspace,
        "preload_models": deployment.models,
        "threads": machine.threads,
        "memory_bytes": machine.memory_bytes,
        "log_format": "json",
    }
    limits = {"max_waiting": machine.max_waiting, "concurrency": machine.concurrency}
    settings |= {name: limit for name, limit in limits.items() if limit is not None}
    serve = [sys.executable, "-P", "-m", "atrous", "serve", "--until-eof"]
    return Launch(
        [*serve, "--settings", json.dumps(settings), "--address-fd"],
        {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))},
        cores,
        machine.memory_bytes,
    )
