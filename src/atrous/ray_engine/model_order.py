"""What the processes of a cluster are told about a model, and how they come by it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from atrous import __version__
from atrous.adapters.home import open_bundles
from atrous.cli.home import find_home
from atrous.core.errors import BrokenModelError, InvalidBundleError, NotFoundError, StorageError
from atrous.ray_engine.bundles import hash_bundle
from atrous.runtime.crew import Crew
from atrous.runtime.loading import load_engine

if TYPE_CHECKING:
    from atrous.adapters.home import Places
    from atrous.runtime.engine import Engine
    from atrous.runtime.loading import EngineOptions
    from atrous.workspace.records import Model

DIGEST_LETTERS = 16
CACHE = "cache/models"


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """A model that is to be opened on any machine.

    Attributes:
        sha256: of its bundle, as `hash_bundle` gives it.
        home: of the server, which all machines share unless `places` names a bucket.
        options: how its network is run, of which nothing may be left to the machine's choice.
    """

    model: Model
    sha256: str
    home: str
    places: Places
    options: EngineOptions

    @property
    def name(self) -> str:
        """The model's, for people."""
        return f"{self.model.workspace}/{self.model.slug}"

    @property
    def digest(self) -> str:
        """The same for all orders that are answered alike, whoever gives them, and for no others."""
        told = [__version__, self.name, self.sha256, asdict(self.options)]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:DIGEST_LETTERS]


def open_ordered(order: ModelOrder) -> Engine:
    """Load an ordered model into this process, fetching its files if this machine has not got them yet.

    Raises:
        BrokenModelError: if its files are gone, damaged or those of another model.
        MissingExtraError: if the library or device of the backend is missing.
        StorageError: if the disk or the storage refuses.
        UnavailableError: if the storage cannot be reached.
    """
    try:
        return load_engine(_locate(order), order.options, Crew(order.options.threads - 1))
    except (InvalidBundleError, NotFoundError) as error:
        raise BrokenModelError(f"model {order.name} cannot be loaded: {error}") from error


def _locate(order: ModelOrder) -> Path:
    folder = _fetch(order) if order.places.blobs_url else _find(order, Path(order.home))
    if hash_bundle(folder) != order.sha256:
        raise InvalidBundleError(f"{folder}: is another model than the server's; give both the same storage")
    return folder


def _fetch(order: ModelOrder) -> Path:
    """The model's folder on this machine, by its hash: models of one name may come out of several storages."""
    cache = find_home() / CACHE
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{cache}: cannot be made ({error.strerror}); set ATROUS_HOME to another folder") from error
    # Replicas that start side by side on a machine fetch a model once.
    with FileLock(cache / f"{order.sha256}.lock"):
        return _find(order, cache / order.sha256)


def _find(order: ModelOrder, home: Path) -> Path:
    return open_bundles(home, order.places).locate(order.model.workspace, order.model.slug)
