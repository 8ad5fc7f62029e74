"""The table `[ray]` of the configuration file: how many replicas a model gets, and how large."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError
from atrous.ray_engine.cluster import find_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.cli.engines import ServeSite


@dataclass(frozen=True, slots=True)
class Scaling:
    """How models are spread over a cluster.

    Attributes:
        address: of the cluster, as `RAY_ADDRESS` has it; empty for that variable, or for this machine alone.
        min_replicas: of every model that was asked for, idle or not; at 0 one that nobody asks takes nothing. Models
            that are preloaded have one at least.
        max_replicas: of a model; 0 for as many as the cluster has room for.
        target_ongoing_requests: requests for each replica, in work and waiting, that the number of replicas follows;
            0 for as many as a replica works for at a time.
        cpus_per_replica: threads of its network, and the cores that Ray sets aside; 0 for the server's `threads`, or 1.
        gpus_per_replica: GPUs that Ray sets aside; a fraction shares one.
        idle_s: seconds that a replica too many is kept.
        multiplex: models that share a replica at most; at 0 each model has replicas of its own.
    """

    address: str = ""
    min_replicas: int = 0
    max_replicas: int = 0
    target_ongoing_requests: float = 0
    cpus_per_replica: int = 0
    gpus_per_replica: float = 0
    idle_s: float = 300
    multiplex: int = 0


# The largest value of each number; whole numbers have an int.
MOST: dict[str, int | float] = {
    "min_replicas": 10_000,
    "max_replicas": 10_000,
    "target_ongoing_requests": 1000.0,
    "cpus_per_replica": 1024,
    "gpus_per_replica": 64.0,
    "idle_s": 86_400.0,
    "multiplex": 1000,
}


def check_site(site: ServeSite) -> Scaling:
    """What a server's table says, if its settings go with it.

    Raises:
        InvalidInputError: if they do not, or as `read_scaling`.
    """
    scaling = read_scaling(site.table)
    if site.settings.workers > 1 and not find_address(scaling.address):
        raise InvalidInputError(
            f"--workers {site.settings.workers}: each would begin a cluster of its own; set RAY_ADDRESS to one, or "
            "leave it out, as the work is done by replicas"
        )
    return scaling


def read_scaling(table: Mapping[str, Any]) -> Scaling:
    """Check a table.

    Raises:
        InvalidInputError: naming the key that is unknown, or whose value cannot be.
    """
    names = [field.name for field in fields(Scaling)]
    for name in table:
        if name not in names:
            raise InvalidInputError(f"configuration file, [ray] {name}: unknown; use one of {', '.join(names)}")
    scaling = Scaling(**{name: _read(name, value) for name, value in table.items()})
    if scaling.max_replicas and scaling.min_replicas > scaling.max_replicas:
        raise InvalidInputError(
            f"configuration file, [ray] min_replicas={scaling.min_replicas}: is more than max_replicas="
            f"{scaling.max_replicas}; lower it"
        )
    return scaling


def _read(name: str, value: Any) -> Any:
    if name == "address":
        if not isinstance(value, str):
            raise InvalidInputError("configuration file, [ray] address: is no text; put it in quotes")
        return value.strip()
    most = MOST[name]
    kinds = (int,) if isinstance(most, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= most:
        kind = "whole number" if isinstance(most, int) else "number"
        raise InvalidInputError(
            f"configuration file, [ray] {name}={str(value)[:40]}: must be a {kind} from 0 to {most:g}"
        )
    return value
