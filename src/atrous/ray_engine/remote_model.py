"""A model whose networks are in processes of a cluster, as the server sees it."""

from __future__ import annotations

import logging
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException

from atrous.core.errors import UnavailableError
from atrous.ray_engine.cluster import describe_fault
from atrous.server.turns import check_wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    import ray

    from atrous.core.sizes import Size
    from atrous.ray_engine.applications import Application
    from atrous.ray_engine.model_order import ModelOrder
    from atrous.ray_engine.model_replica import Outcome
    from atrous.server.loaded_model import LoadedModel
    from atrous.workspace.records import Model

logger = logging.getLogger(__name__)
T = TypeVar("T")

# A picture that ends the process which sees it ends the next ones too; but a machine takes several replicas with it.
MOST_TRIES = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
# How soon it is noticed that nobody waits any more.
LOOK_S = 0.5


class RemoteModel:
    """Sends work to replicas, to another one where the first is lost.

    Args:
        order: what replicas open.
        input_size: of what its network sees.
        load_time_s: how long it took to have it deployed.
        application: where its replicas are.
    """

    memory_bytes = 0

    def __init__(self, order: ModelOrder, input_size: Size, load_time_s: float, application: Application) -> None:
        self._order = order
        self.input_size = input_size
        self.load_time_s = load_time_s
        self._application = application

    @property
    def model(self) -> Model:
        """Its record."""
        return self._order.model

    def run(self, work: Callable[[LoadedModel], T]) -> T:
        """Have work done by a replica; see `ServedModel.run`.

        Raises:
            UnavailableError: if too much work waits already, or every process that began it was lost.
        """
        outcome = self._try(work)
        if outcome.error is not None:
            raise outcome.error
        return cast("T", outcome.value)

    def close(self) -> None:
        """Let replicas go that nothing keeps busy."""
        self._application.release()

    def _try(self, work: Callable[[LoadedModel], Any]) -> Outcome:
        pause_s = FIRST_PAUSE_S
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                return self._ask(work)
            except BackPressureError:
                raise _queue_is_full() from None
            except (RayError, RayServeException) as error:
                if isinstance(error, RayTaskError) and not isinstance(error, RayActorError):
                    raise
                if not tries_left:
                    raise self._lost(error) from error
                logger.warning("work for %s is done again: %s", self._order.name, describe_fault(error))
                if isinstance(error, DeploymentUnavailableError):
                    self._application.revive()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        raise AssertionError

    def _ask(self, work: Callable[[LoadedModel], Any]) -> Outcome:
        handle = self._application.find_handle()
        if self._application.is_shared:
            handle = handle.options(multiplexed_model_id=self._order.digest)
        response = handle.run.remote(self._order, work)
        try:
            # Not `response.result(timeout_s=...)`: one that runs out calls off the transfer of a large reply from
            # another machine, and Ray begins it again only ten seconds later.
            future = _wait_for_replica(response).future()
            while not wait([future], timeout=LOOK_S).done:
                check_wanted()
            return future.result()
        except UnavailableError:
            response.cancel()
            raise

    def _lost(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            f"model {self._order.name}: this request was begun {MOST_TRIES} times and ended by none "
            f"({describe_fault(error)}); send it again later, or give replicas more memory"
        )


def _wait_for_replica(response: Any) -> ray.ObjectRef[Outcome]:
    """Where the reply will be, once a replica has taken the request."""
    while True:
        try:
            # For developers on top of Ray, says Ray, whatever its name looks like.
            return response._to_object_ref_sync(_timeout_s=LOOK_S)  # noqa: SLF001
        except TimeoutError:
            check_wanted()


def _queue_is_full() -> UnavailableError:
    return UnavailableError(
        "the model's replicas are busy and their queue is full; send the request again in a moment, or raise "
        "max_waiting or max_replicas of the server"
    )
