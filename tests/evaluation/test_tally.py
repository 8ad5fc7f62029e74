from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.evaluation.scenes import answer

from atrous.core.errors import InvalidInputError, StorageError
from atrous.evaluation.kept import open_evaluation, write_evaluation
from atrous.evaluation.sweep import sweep_thresholds
from atrous.evaluation.tally import Named, Tally, add_tallies, read_tally, tally_picture, write_tally

if TYPE_CHECKING:
    from pathlib import Path


def tally(name: str, label: list[list[int]], mask: list[list[int]], confidence: float = 0.6, ms: float = 5) -> Tally:
    label_HW = np.array(label, np.uint8)
    return tally_picture(Named(name, f"id-{name}"), label_HW, answer(mask, confidence), class_count=3, latency_ms=ms)


def two() -> Tally:
    return add_tallies([tally("a", [[1, 1, 2, 255]], [[1, 0, 1, 1]]), tally("b", [[0, 0]], [[0, 2]], ms=7)], 3)


def test_a_mix_up_is_a_wrong_pixel_of_one_class_and_a_missed_one_of_another() -> None:
    figures = two().figures_PT[0, 60]
    assert [int(figures[name]) for name in ("found", "wrong", "missed")] == [1, 1, 2]
    assert figures["mean_iou"] == pytest.approx((1 / 3 + 0) / 2)


def test_below_the_threshold_nothing_is_found_and_all_is_missed() -> None:
    figures = two().figures_PT[0, 61]
    assert [int(figures[name]) for name in ("found", "wrong", "missed")] == [0, 0, 3]


def test_a_picture_of_background_alone_has_a_mean_iou_only_where_something_is_predicted() -> None:
    figures_T = two().figures_PT[1]
    assert figures_T["mean_iou"][60] == 0
    assert np.isnan(figures_T["mean_iou"][61])


def test_tallies_add_up() -> None:
    both = two()
    assert both.levels_KKT.sum() == 5
    assert both.shown_K.tolist() == [1, 1, 1]
    assert both.pictures == (Named("a", "id-a"), Named("b", "id-b"))
    assert both.latency_ms_P.tolist() == [5, 7]


def test_a_tally_comes_back_from_its_file(tmp_path: Path) -> None:
    write_tally(tmp_path / "valid-0.npz", two())
    back = read_tally(tmp_path / "valid-0.npz")
    assert back is not None
    assert np.array_equal(back.levels_KKT, two().levels_KKT)
    assert back.figures_PT.tobytes() == two().figures_PT.tobytes()
    assert back.class_rows.tobytes() == two().class_rows.tobytes()
    assert back.pictures == two().pictures


@pytest.mark.parametrize("percent", [0, 60, 61])
def test_what_pictures_add_at_a_threshold_is_what_their_matrices_say(percent: int) -> None:
    both = two()
    counts = both.count_pictures(percent)
    counts_KK = sweep_thresholds(both.levels_KKT)[:, :, percent]
    assert counts.label_PK.tolist() == [[0, 2, 1], [0, 0, 0]]
    assert counts.found_PK.sum(axis=0)[1:].tolist() == counts_KK.diagonal()[1:].tolist()
    assert counts.predicted_PK.sum(axis=0)[1:].tolist() == counts_KK.sum(axis=0)[1:].tolist()
    assert counts.predicted_PK[1].tolist() == ([0, 0, 1] if percent < 61 else [0, 0, 0])


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_file_that_was_cut_off_holds_no_tally(tmp_path: Path, share: float) -> None:
    path = tmp_path / "valid-0.npz"
    write_tally(path, two())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert read_tally(path) is None


def test_an_evaluation_comes_back_from_its_file_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "details.npz"
    write_evaluation(path, {"percent": 60}, {"valid": two()})
    with open_evaluation(path) as kept:
        assert (kept.about, kept.splits) == ({"percent": 60}, ("valid",))
        assert kept.read_counts("valid")[:, :, 60].tolist() == [[1, 0, 1], [1, 1, 0], [0, 1, 0]]
        assert kept.read_figures("valid", 61)["missed"].tolist() == [3, 0]
        assert kept.list_pictures("valid")[1].id == "id-b"


def test_a_damaged_evaluation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "details.npz"
    write_evaluation(path, {}, {"valid": two()})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(StorageError, match=r"details\.npz: this evaluation was damaged"), open_evaluation(path):
        pass


def test_a_picture_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidInputError, match="odd: the label has class id 9"):
        tally("odd", [[9]], [[1]])
