"""Where models are put to work: in this process, or elsewhere by an engine that a command line names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.core.sizes import Size
    from atrous.server.loaded_model import LoadedModel
    from atrous.workspace.records import Model

T = TypeVar("T")


class ServedModel(Protocol):
    """A model that answers, wherever its network is."""

    @property
    def model(self) -> Model:
        """Its record."""
        ...

    @property
    def input_size(self) -> Size:
        """Of what its network sees."""
        ...

    @property
    def memory_bytes(self) -> int:
        """What it is estimated to take of this process's memory."""
        ...

    @property
    def load_time_s(self) -> float:
        """How long it took to open."""
        ...

    def run(self, work: Callable[[LoadedModel], T]) -> T:
        """Do work where the network is, and give its result.

        Args:
            work: harmless if it is done more than once, and picklable, as its result is.

        Raises:
            UnavailableError: if nobody can do it now, or nobody waits for it any more.
            AtrousError: whatever the work had to say.
        """
        ...

    def close(self) -> None:
        """Free what it holds once work that was begun is done; does not block, and twice is harmless."""
        ...


class ModelSource(Protocol):
    """Opens models."""

    @property
    def concurrency(self) -> int:
        """Requests that this process works for at a time."""
        ...

    def open(self, model: Model) -> ServedModel:
        """Make a model ready to answer.

        Raises:
            InvalidBundleError: naming the file that is missing, altered or unusable.
            NotFoundError: if the model's files are gone.
            MissingExtraError: if the library or device of the backend is missing.
            UnavailableError: if it cannot be opened now.
        """
        ...
