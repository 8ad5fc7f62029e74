"""What is known of a model once it was scored on labelled pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atrous.evaluation.boundaries import BoundaryScores
    from atrous.evaluation.calibration import Calibration
    from atrous.evaluation.examples import Example
    from atrous.evaluation.picture_counts import PictureCounts
    from atrous.evaluation.score_warnings import ScoreWarning
    from atrous.evaluation.scores import Scores
    from atrous.evaluation.sizes import SizeScores
    from atrous.evaluation.traits import Traits


@dataclass(frozen=True, slots=True)
class PictureScore:
    """mIoU of one picture alone, as the server would answer; None if all its pixels are void."""

    name: str
    mean_iou: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores of one model on one set of labelled pictures.

    Attributes:
        plain: scores of the winning classes as they are.
        served: scores of what the server would answer: pixels below the threshold are background.
        threshold: the confidence below which a pixel becomes background.
        plain_KK: confusion matrix behind `plain`; rows are labels, columns are predictions.
        served_KK: confusion matrix behind `served`.
        plain_counts: what each picture adds to `plain`.
        served_counts: what each picture adds to `served`.
        sizes: scores by size of object, as served.
        boundaries: scores at the boundaries of labels, as served.
        calibration: whether confidence means what it says.
        warnings: why the scores may mislead.
        traits: what the pictures have in common.
        pictures: in the order they came.
        worst: small copies of the pictures with the lowest mIoU, lowest first.
        best: small copies of those with the highest, highest first; none that is in `worst`.
        typical: small copies of those nearest to the median, nearest first; none that is in the others.
        seconds: wall time, reading of the pictures included.
    """

    plain: Scores
    served: Scores
    threshold: float
    plain_KK: NDArray[np.int64]
    served_KK: NDArray[np.int64]
    plain_counts: PictureCounts
    served_counts: PictureCounts
    sizes: SizeScores
    boundaries: BoundaryScores
    calibration: Calibration
    warnings: tuple[ScoreWarning, ...]
    traits: Traits
    pictures: tuple[PictureScore, ...]
    worst: tuple[Example, ...]
    best: tuple[Example, ...]
    typical: tuple[Example, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, with the rule in both scores; without the small copies."""
        return {
            "threshold": self.threshold,
            "plain": self.plain.as_json(),
            "served": self.served.as_json(),
            "confusion": {"plain": self.plain_KK.tolist(), "served": self.served_KK.tolist()},
            "sizes": self.sizes.as_json(),
            "boundaries": self.boundaries.as_json(),
            "calibration": self.calibration.as_json(),
            "warnings": [warning.as_json() for warning in self.warnings],
            "picture_count": len(self.pictures),
            "pictures": [asdict(picture) for picture in self.pictures],
            "seconds": self.seconds,
        }
