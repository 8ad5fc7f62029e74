"""Picture files through a model: read ahead, written behind, counted."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.cli.belt import write_behind
from atrous.cli.terminal import open_progress, say, say_error
from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from atrous.cli.predictors import PictureResult, Predictor
    from atrous.cli.results import PictureResults

# Each is a picture in memory.
BEHIND = 4


@dataclass(slots=True)
class Tally:
    """How a run over pictures went so far."""

    wanted: int
    skipped: int = 0
    written: int = 0
    failed: int = 0

    def tell(self, folder: Path, seconds: float) -> str:
        """The run in a line."""
        parts = [f"{self.written} of {self.wanted} pictures written to {folder}"]
        parts += [f"{self.skipped} were there already"] if self.skipped else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.written / seconds:.1f} pictures per second"] if self.written and seconds > 0 else []
        return ", ".join(parts)


def infer_pictures(stems: Mapping[Path, Path], predictor: Predictor, results: PictureResults, *, skipped: int) -> int:
    """Write the results of each picture; a bad one is named and the rest go on.

    Args:
        stems: the stem of its results for each picture.
        predictor: who sees them.
        results: what is written, and where.
        skipped: pictures that were done before, for the summary.

    Returns:
        How many failed.
    """
    tally = Tally(len(stems) + skipped, skipped)
    started_s = time.monotonic()
    try:
        if stems:
            _run(stems, predictor, _write_results(stems, results, tally))
    finally:
        say(tally.tell(results.folder, time.monotonic() - started_s))
    return tally.failed


def _run(stems: Mapping[Path, Path], predictor: Predictor, write: Callable[[PictureResult], None]) -> None:
    with (
        open_progress() as progress,
        write_behind(write, BEHIND) as hand_over,
        closing(predictor.predict_pictures(stems)) as predicted,
    ):
        task = progress.add_task("predicting", total=len(stems))
        for result in predicted:
            hand_over(result)
            progress.advance(task)


def _write_results(
    stems: Mapping[Path, Path], results: PictureResults, tally: Tally
) -> Callable[[PictureResult], None]:
    def write(result: PictureResult) -> None:
        path, seen = result
        if isinstance(seen, InvalidInputError):
            say_error(f"{path}: {seen}")
            tally.failed += 1
        else:
            results.write(stems[path], seen)
            tally.written += 1

    return write
