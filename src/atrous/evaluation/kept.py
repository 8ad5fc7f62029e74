"""A finished evaluation as one file, read in parts: a page of pictures costs one threshold, not all of them.

Axes: K classes, T thresholds in percent, P pictures.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atrous.core.errors import StorageError
from atrous.evaluation.sweep import PERCENTS, sweep_thresholds
from atrous.evaluation.tally import Named

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

    from atrous.evaluation.tally import Tally


class KeptEvaluation:
    """An open file of `write_evaluation`. All that it gives raises StorageError if the file is damaged.

    Attributes:
        about: what was written beside the tallies, plain values.
        splits: names of the splits that were scored.
    """

    def __init__(self, arrays: NpzFile, path: Path) -> None:
        self._arrays = arrays
        self._path = path
        self.about: dict[str, Any] = self._read_json("about")
        self.splits: tuple[str, ...] = tuple(self._read_json("splits"))

    def read_counts(self, split: str) -> NDArray[np.int64]:
        """counts_KKT: pixels by label, prediction and threshold."""
        return sweep_thresholds(self._read(f"{split}.levels_KKT"))

    def list_pictures(self, split: str) -> list[Named]:
        """In the order of the version."""
        return [Named(*named) for named in self._read_json(f"{split}.pictures")]

    def read_figures(self, split: str, percent: int) -> NDArray[Any]:
        """figures_P: what became of each picture at one threshold, of dtype FIGURES."""
        return self._read(_figures_name(split, percent))

    def _read_json(self, name: str) -> Any:
        return json.loads(self._read(name).tobytes())

    def _read(self, name: str) -> NDArray[Any]:
        with _named_damage(self._path):
            return self._arrays[name]


def write_evaluation(path: Path, about: Mapping[str, Any], tallies: Mapping[str, Tally]) -> None:
    """Write an evaluation to a file.

    Args:
        path: where to.
        about: plain values.
        tallies: by the name of the split.
    """
    arrays: dict[str, NDArray[Any]] = {"about": _as_bytes(about), "splits": _as_bytes(list(tallies))}
    for split, tally in tallies.items():
        arrays[f"{split}.levels_KKT"] = tally.levels_KKT
        arrays[f"{split}.pictures"] = _as_bytes([[picture.name, picture.id] for picture in tally.pictures])
        arrays |= {_figures_name(split, percent): tally.figures_PT[:, percent] for percent in PERCENTS}
    with path.open("wb") as file:
        np.savez_compressed(file, **cast("dict[str, Any]", arrays))


@contextmanager
def open_evaluation(path: Path) -> Generator[KeptEvaluation]:
    """Open a file of `write_evaluation`.

    Raises:
        StorageError: if it is damaged.
    """
    with _named_damage(path):
        arrays: NpzFile = np.load(path)
    with arrays:
        yield KeptEvaluation(arrays, path)


@contextmanager
def _named_damage(path: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise StorageError(f"{path}: this evaluation was damaged on disk; restore it from a backup") from error


def _figures_name(split: str, percent: int) -> str:
    return f"{split}.figures_P.{percent}"


def _as_bytes(content: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(content, allow_nan=False).encode(), np.uint8)
