"""What `--engine ray` stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.ray_engine.cluster import join_cluster
from atrous.ray_engine.inference import infer_on_ray
from atrous.ray_engine.scaling import check_site

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from atrous.cli.engines import InferListener, InferOrder, ServeSite, TrainSite
    from atrous.server.model_source import ModelSource
    from atrous.training.listener import Listener
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import TrainingConfig


class RayEngine:
    """Works on the cluster that `RAY_ADDRESS` names, or on the cores of this machine."""

    def infer(self, order: InferOrder, listener: InferListener) -> None:
        """See pictures; see `ClusterEngine.infer`."""
        with join_cluster(cores=order.threads or 0):
            infer_on_ray(order, listener)

    def train(self, site: TrainSite, config: TrainingConfig, listener: Listener) -> TrainingResult:
        """Train; see `ClusterEngine.train`."""
        # Imported here because those who only serve have no torch.
        from atrous.ray_engine.training import train_on_ray  # noqa: PLC0415

        with join_cluster(cores=config.recipe.devices):
            return train_on_ray(site, config, listener)

    def check(self, site: ServeSite) -> None:
        """Refuse what cannot be; see `ClusterEngine.check`."""
        check_site(site)

    def serve(self, site: ServeSite) -> AbstractContextManager[ModelSource]:
        """Open models on the cluster; see `ClusterEngine.serve`."""
        # Imported here because it is slow to import.
        from atrous.ray_engine.serving import serve_on_ray  # noqa: PLC0415

        return serve_on_ray(site)
