"""`atrous train --engine ray`: Ray Train starts and restarts the ranks, which run the very loop of one machine."""

from __future__ import annotations

import shutil
import threading
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from atrous.core.errors import InvalidInputError, StoppedError, UnavailableError
from atrous.ray_engine.cluster import wait_for
from atrous.ray_engine.desk import Desk, Wishes
from atrous.ray_engine.rank import RankOrder, train_rank
from atrous.ray_engine.run_folder import SharedRun
from atrous.training.loop import read_training

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.cli.engines import TrainSite
    from atrous.core.errors import AtrousError
    from atrous.training.listener import Listener
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import Recipe, TrainingConfig

# A training of days on machines that come and go loses some of them.
MOST_LOSSES = 20
# Between two looks at what the ranks tell.
LOOK_S = 0.2
SCRATCH = "ray"


def train_on_ray(site: TrainSite, config: TrainingConfig, listener: Listener) -> TrainingResult:
    """Train with as many ranks as the recipe has devices; see `ClusterEngine.train`.

    Raises:
        InvalidInputError: if a batch has fewer pictures than there are ranks.
        UnavailableError: if processes were lost more often than is borne.
        AtrousError: what the ranks had to say.
    """
    recipe = config.recipe
    if recipe.batch_size < recipe.devices:
        raise InvalidInputError(
            f"--workers {recipe.devices}: a batch of {recipe.batch_size} has not a picture for each; choose fewer "
            "workers or a larger --batch-size"
        )
    on_gpu = _choose_gpu(recipe)
    shared = SharedRun(config.run_folder, site.blobs_url)
    desk: Any = Desk.options(scheduling_strategy=NodeAffinitySchedulingStrategy(_find_node(), soft=False)).remote()
    chosen = replace(config, recipe=replace(recipe, device="cuda" if on_gpu else "cpu"))
    trainer = _make_trainer(RankOrder(desk, site, shared, chosen), on_gpu=on_gpu)
    try:
        _follow(trainer, desk, listener)
    finally:
        shutil.rmtree(config.run_folder / SCRATCH, ignore_errors=True)
    shared.fetch(config.run_folder)
    return read_training(config.run_folder)


def _choose_gpu(recipe: Recipe) -> bool:
    if recipe.device == "auto":
        return ray.cluster_resources().get("GPU", 0) >= recipe.devices
    return recipe.device == "cuda"


def _find_node() -> str:
    return ray.get_runtime_context().get_node_id()


def _make_trainer(order: RankOrder, *, on_gpu: bool) -> TorchTrainer:
    return TorchTrainer(
        train_rank,
        train_loop_config={"order": order},
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        # Ranks on GPUs talk most quickly within a machine; on a CPU each wants one for itself.
        scaling_config=ScalingConfig(
            num_workers=order.config.recipe.devices,
            use_gpu=on_gpu,
            placement_strategy="PACK" if on_gpu else "SPREAD",
        ),
        # Ray keeps nothing but notes there: checkpoints are the ranks' own.
        run_config=RunConfig(
            name=uuid.uuid4().hex,
            storage_path=str(_make_scratch(order.config.run_folder)),
            failure_config=FailureConfig(max_failures=MOST_LOSSES),
        ),
    )


def _make_scratch(run_folder: Path) -> Path:
    scratch = run_folder / SCRATCH
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch


def _follow(trainer: TorchTrainer, desk: Any, listener: Listener) -> None:
    """Call the listener in this thread, which signals come to, until Ray has ended."""
    faults = list[BaseException]()

    def fit() -> None:
        try:
            trainer.fit()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - raised in the thread that waits, unless it has left
            faults.append(error)

    running = threading.Thread(target=fit, name="ray-train", daemon=True)
    running.start()
    is_over = False
    while not is_over:
        running.join(LOOK_S)
        is_over = not running.is_alive()
        end = _exchange(desk, listener)
        # Ray would start all ranks once more to hear the same; those that were stopped end by themselves.
        if end is not None and (is_over or not isinstance(end, StoppedError)):
            raise end
    if faults:
        raise UnavailableError(
            f"the processes of this training were lost {MOST_LOSSES + 1} times or could not be started "
            f"({_last_line(faults[0])}); look at the logs of Ray, and go on with --resume"
        ) from faults[0]


def _exchange(desk: Any, listener: Listener) -> AtrousError | None:
    """Leave wishes, hear what was told, and give why going on is of no use, if it is not."""
    wishes = Wishes(stop=listener.should_stop(), finish=listener.should_finish())
    told, end = wait_for(desk.exchange.remote(wishes))
    for method, report in told:
        getattr(listener, method)(report)
    return end


def _last_line(error: BaseException) -> str:
    return str(error).strip().rpartition("\n")[2][:200]
