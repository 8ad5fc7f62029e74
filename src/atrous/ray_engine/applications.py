"""What runs on Ray Serve for a server: an application for each model, or one for all.

Applications are never taken down: servers that share a cluster share them, and one that ends must not pull them away
from under another. A server asks for a number of replicas at least, asks again every now and then, and asks for none
when it is done; what is idle then goes by itself.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, cast

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import AutoscalingConfig
from ray.serve.exceptions import RayServeException

from atrous.ray_engine.model_replica import ModelReplica

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.serve.handle import DeploymentHandle

    from atrous.ray_engine.model_order import ModelOrder
    from atrous.ray_engine.model_replica import ReplicaSize
    from atrous.ray_engine.scaling import Scaling

logger = logging.getLogger(__name__)

DEPLOYMENT = "model"
DIGEST_LETTERS = 12
# How soon more replicas are begun, and what the wish for them is the mean of.
UPSCALE_DELAY_S, METRICS_INTERVAL_S, LOOK_BACK_S = 2.0, 1.0, 5.0
# A process that hangs is one that is lost.
HEALTH_PERIOD_S, HEALTH_TIMEOUT_S = 5.0, 15.0
DRAIN_S = 60.0
LONGEST_REMINDER_S = 60.0


@dataclass(frozen=True, slots=True)
class Application:
    """Replicas that do the same work.

    Attributes:
        is_shared: whether each holds several models.
        find_handle: gives what work is sent by.
        revive: begins it again if it is gone, as if somebody shut Ray Serve down.
        release: lets go of it.
    """

    is_shared: bool
    find_handle: Callable[[], DeploymentHandle[Any]]
    revive: Callable[[], None]
    release: Callable[[], None]


class Applications:
    """Begins applications, and keeps up how many replicas they have at least. Safe to use from several threads.

    Args:
        scaling: how many replicas there are, and how large.
        size: how much a replica takes on.
        max_queued: pieces of work of an application that may wait in this process.
        owner: applications of other owners are others; such as a deployment's name.
    """

    def __init__(self, scaling: Scaling, size: ReplicaSize, max_queued: int, owner: str) -> None:
        self._scaling = scaling
        self._size = size
        self._max_queued = max_queued
        self._owner = owner
        self._lock = Lock()
        # By name.
        self._claims: dict[str, _Claim] = {}
        self._handles: dict[str, DeploymentHandle[Any]] = {}
        self._is_over = Event()
        Thread(target=self._keep_reminding, name="ray-applications", daemon=True).start()

    def claim(self, order: ModelOrder | None, label: str, *, least: int) -> Application:
        """Have an application, beginning it if nobody has yet; does not wait for its replicas.

        Args:
            order: the model that it is for; None for one that takes any.
            label: part of its name, for people.
            least: how many replicas it is to have at least.
        """
        told = [self._owner, order.digest if order else "", asdict(self._size), self._scaling.gpus_per_replica]
        name = f"atrous-{label}-{hashlib.sha256(repr(told).encode()).hexdigest()[:DIGEST_LETTERS]}"
        with self._lock:
            before = self._claims.get(name)
            claim = _Claim(order, max(least, before.least if before else 0), (before.uses if before else 0) + 1)
            self._deploy(name, claim.order, claim.least)
            self._claims[name] = claim
        is_released = Event()
        return Application(
            is_shared=order is None,
            find_handle=lambda: self._handles[name],
            revive=lambda: self._revive(name),
            release=lambda: self._release(name, is_released),
        )

    def close(self) -> None:
        """Ask for no replicas any more, and send them nothing; called once, at the end."""
        self._is_over.set()
        with self._lock:
            claims, self._claims = self._claims, {}
        for name, claim in claims.items():
            self._let_go(name, claim)
        for handle in self._handles.values():
            handle.shutdown()

    def _revive(self, name: str) -> None:
        """Begin an application again that is gone, with as many replicas as it is to have at least."""
        with self._lock:
            # Its handle follows a Ray Serve that may be gone as well.
            self._handles.pop(name, None)
        self._remind(name)

    def _remind(self, name: str) -> None:
        """Ask again for as many replicas as an application is to have at least."""
        with self._lock:
            claim = self._claims.get(name)
            if claim is not None:
                self._deploy(name, claim.order, claim.least)

    def _release(self, name: str, is_released: Event) -> None:
        with self._lock:
            claim = self._claims.get(name)
            if claim is None or is_released.is_set():
                return
            is_released.set()
            if claim.uses > 1:
                self._claims[name] = _Claim(claim.order, claim.least, claim.uses - 1)
                return
            del self._claims[name]
        # Ray may take its time, and whoever releases may be in a hurry.
        Thread(target=self._let_go, args=(name, claim), daemon=True).start()

    def _let_go(self, name: str, claim: _Claim) -> None:
        if not claim.least:
            return
        try:
            with self._lock:
                if name not in self._claims:
                    self._deploy(name, claim.order, 0)
        except (RayError, RayServeException) as error:
            logger.warning("replicas of %s may stay: %s", name, error)

    def _keep_reminding(self) -> None:
        """Ask again for what another server that has ended has asked to be let go."""
        while not self._is_over.wait(min(LONGEST_REMINDER_S, self._scaling.idle_s / 2 or LONGEST_REMINDER_S)):
            with self._lock:
                names = [name for name, claim in self._claims.items() if claim.least]
            for name in names:
                try:
                    self._remind(name)
                except (RayError, RayServeException) as error:
                    logger.warning("replicas of %s cannot be asked for: %s", name, error)

    def _deploy(self, name: str, order: ModelOrder | None, least: int) -> None:
        scaling, size = self._scaling, self._size
        # Does nothing where Ray Serve runs; the HTTP server is ours.
        serve.start(proxy_location="Disabled")
        sized = cast("Any", serve.deployment(ModelReplica)).options(
            name=DEPLOYMENT,
            # Ray makes one up for all but itself, and starts replicas anew when another number of them is asked for.
            version=name,
            _internal=True,
            max_ongoing_requests=size.max_ongoing,
            max_queued_requests=self._max_queued,
            ray_actor_options={"num_cpus": size.threads, "num_gpus": scaling.gpus_per_replica},
            health_check_period_s=HEALTH_PERIOD_S,
            health_check_timeout_s=HEALTH_TIMEOUT_S,
            graceful_shutdown_timeout_s=DRAIN_S,
            autoscaling_config=self._choose_numbers(least),
        )
        target = serve.RunTarget(sized.bind(size, order), name=name, route_prefix=None)
        handle = cast("Any", serve).run_many([target], wait_for_applications_running=False)[0]
        # Each handle has to find the replicas anew and counts for itself how busy they are, so the first one is kept.
        self._handles.setdefault(name, handle)

    def _choose_numbers(self, least: int) -> AutoscalingConfig:
        scaling, size = self._scaling, self._size
        return AutoscalingConfig(
            min_replicas=least,
            max_replicas=max(1, least, scaling.max_replicas or count_room(size.threads, scaling.gpus_per_replica)),
            target_ongoing_requests=scaling.target_ongoing_requests or size.concurrency,
            upscale_delay_s=UPSCALE_DELAY_S,
            downscale_delay_s=scaling.idle_s,
            metrics_interval_s=METRICS_INTERVAL_S,
            look_back_period_s=LOOK_BACK_S,
        )


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an application is for, how many replicas it has at least, and how many models here use it."""

    order: ModelOrder | None
    least: int
    uses: int


def count_room(cpus: int, gpus: float) -> int:
    """How many replicas the machines of the cluster have room for, if they did nothing else; at least 1."""
    nodes = cast("list[dict[str, Any]]", cast("Any", ray).nodes())
    return max(1, sum(_count_room(node["Resources"], cpus, gpus) for node in nodes if node["Alive"]))


def _count_room(resources: dict[str, float], cpus: int, gpus: float) -> int:
    room = int(resources.get("CPU", 0) // cpus)
    return min(room, int(resources.get("GPU", 0) // gpus)) if gpus else room
