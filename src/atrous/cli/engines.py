"""Engines that spread work over many machines, which packages bring under the entry point group `atrous.engines`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias

import typer

from atrous.core.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from atrous.adapters.home import Places
    from atrous.bundle.reduction import JpegScale
    from atrous.cli.results import Kind
    from atrous.core.ids import VersionId
    from atrous.runtime.loading import EngineOptions
    from atrous.runtime.tiling import Tiling
    from atrous.server.model_source import ModelSource
    from atrous.server.settings import Settings
    from atrous.training.listener import Listener
    from atrous.training.loop import TrainingResult
    from atrous.training.recipe import TrainingConfig
    from atrous.workspace.ports import Bundles

GROUP = "atrous.engines"
EngineOption: TypeAlias = Annotated[
    str | None, typer.Option("--engine", help="ray: spread the work over a Ray cluster, or this machine's cores.")
]


@dataclass(frozen=True, slots=True)
class InferOrder:
    """Pictures to be seen by a model.

    Attributes:
        model: its id, for messages.
        bundle: its folder on this machine.
        places: folders, files, globs, `s3://BUCKET/PREFIX` and lists of such addresses in files `*.txt`.
        out: a folder that all machines share, or `s3://BUCKET/PREFIX`.
        kinds: what is written of a picture.
        threshold: pixels of less confidence become background, 0 to 1.
        replicas: networks that are loaded at a time; None for as many as there are cores.
        threads: cores of each; None for two.
        shard_size: pictures in a file of results.
    """

    model: str
    bundle: Path
    places: tuple[str, ...]
    out: str
    kinds: frozenset[Kind]
    threshold: float
    jpeg_scale: JpegScale
    tiling: Tiling | None
    options: EngineOptions
    replicas: int | None
    threads: int | None
    shard_size: int


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of the pictures of a shard.

    Attributes:
        written: how many have results.
        failed: how many could not be read or seen.
        faults: a sentence for some of these.
    """

    number: int
    written: int
    failed: int
    faults: tuple[str, ...] = ()


class InferListener(Protocol):
    """Follows pictures through a cluster."""

    def on_plan(self, pictures: int, done: int) -> None:
        """Told once: how many pictures there are, and how many of them an earlier run has seen."""
        ...

    def on_shard(self, report: ShardReport) -> None:
        """Told of each shard when it is kept for good."""
        ...


@dataclass(frozen=True, slots=True)
class TrainSite:
    """What the processes of a training need besides its config, on whichever machine they are.

    Attributes:
        workspace: of the version.
        version: what is trained on.
        blobs_url: storage that all machines share; empty where they share the home's folder.
    """

    workspace: str
    version: VersionId
    blobs_url: str


@dataclass(frozen=True, slots=True)
class ServeSite:
    """What a server and its replicas need, on whichever machine they are.

    Attributes:
        settings: the server's.
        home: its folder, which all machines share unless `places` names a bucket.
        places: what lies elsewhere.
        bundles: its models.
        table: the table of the configuration file that has the engine's name.
    """

    settings: Settings
    home: Path
    places: Places
    bundles: Bundles
    table: Mapping[str, Any]


class ClusterEngine(Protocol):
    """Does the work of commands on many machines."""

    def infer(self, order: InferOrder, listener: InferListener) -> None:
        """See pictures, each exactly once, and go on where an earlier run of the same order ended.

        Raises:
            ConflictError: if the results of another order lie there.
            AtrousError: whatever reading, predicting or keeping had to say.
        """
        ...

    def train(self, site: TrainSite, config: TrainingConfig, listener: Listener) -> TrainingResult:
        """Run `run_training` in as many processes as the recipe has devices.

        Raises:
            UnavailableError: if processes were lost more often than is borne.
            StoppedError: if the listener asked to stop; a checkpoint was written.
            AtrousError: whatever training had to say.
        """
        ...

    def check(self, site: ServeSite) -> None:
        """Refuse what can be known to be wrong before anything is begun.

        Raises:
            InvalidInputError: if the site's table or settings have something that cannot be.
        """
        ...

    def serve(self, site: ServeSite) -> AbstractContextManager[ModelSource]:
        """Be part of the cluster within the block; give what opens models there.

        Raises:
            InvalidInputError: if the site's table has something that cannot be.
            UnavailableError: if the cluster cannot be reached.
        """
        ...


def find_engine(name: str) -> ClusterEngine:
    """The engine of a name.

    Raises:
        InvalidInputError: if nothing installed brings one.
        MissingExtraError: if what it is made of is not installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise InvalidInputError(
            f"--engine {name}: unknown; choose of {', '.join(sorted(found)) or 'none'}, or leave it out"
        )
    try:
        make: Any = found[name].load()
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"--engine {name}: needs {error.name}, which this installation lacks; install Atrous with its extra "
            f"`{name}`, in a checkout by pip install '.[{name}]'"
        ) from error
    return make()
