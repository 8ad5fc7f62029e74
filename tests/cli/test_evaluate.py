from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.cli.terminal import Said, publish

from atrous.adapters.home import open_home
from atrous.core.sizes import Size
from atrous.workspace.trainings import record_epochs

if TYPE_CHECKING:
    from collections.abc import Callable

# Of the classes background, red, green and blue, as tests/fakes/bundles.py answers them.
COLOURS_BGR = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)
SIDE_PX = 64


def draw_label(number: int) -> np.ndarray:
    """Four bands of all classes, lower from picture to picture."""
    return np.roll(np.repeat(np.arange(4, dtype=np.uint8), SIDE_PX // 4), number)[:, None].repeat(SIDE_PX, axis=1)


def write_dataset(folder: Path, *, wrong: int | None = None, pictures: int = 12) -> None:
    """Pictures whose every pixel shows its class; one label may have a square of another class on it."""
    for split, numbers in (("train", range(100, 102)), ("valid", range(pictures))):
        (folder / split).mkdir(parents=True)
        (folder / split / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, red\n2, green\n3, blue")
        for number in numbers:
            label_HW = draw_label(number)
            # No two files of one content.
            image_HWC = np.minimum(COLOURS_BGR[label_HW], 255 - number % 50)
            if number == wrong:
                label_HW[10:50, 10:50] = 3
            cv2.imwrite(str(folder / split / f"{number}.png"), image_HWC)
            cv2.imwrite(str(folder / split / f"{number}_mask.png"), label_HW)


@pytest.fixture
def prepare(atrous: Callable[..., Said], home: Path, tmp_path: Path) -> Callable[..., None]:
    """A version `road/1` with a model that knows all about it."""

    def make(**dataset: int) -> None:
        write_dataset(tmp_path / "dataset", **dataset)
        assert atrous("import", tmp_path / "dataset", "--project", "road").code == 0
        assert atrous("version", "create", "road", "--resize", "64x64").code == 0
        publish(home)

    return make


def test_scores_are_told_with_their_intervals_and_the_files_are_listed(
    atrous: Callable[..., Said], home: Path, prepare: Callable[..., None]
) -> None:
    prepare()
    said = atrous("evaluate", "road/1")
    assert said.code == 0, said.err
    assert "plain winner: mIoU 1.0000 [1.000, 1.000], pixel accuracy 1.0000 [1.000, 1.000]" in said.out
    assert "as served at 0.4: mIoU 1.0000 [1.000, 1.000]" in said.out
    assert "100.0-100.0" in said.out
    assert "speed: fp32 " in said.out
    assert "labels in doubt: 0" in said.out
    folder = home / "reports" / "road-1-t1" / "valid"
    for name in ("report.html", "report.json", "label_issues.csv"):
        assert str(folder / name) in said.err
        assert (folder / name).is_file()


def test_a_wrong_label_is_found_and_named(atrous: Callable[..., Said], prepare: Callable[..., None]) -> None:
    prepare(wrong=5)
    said = atrous("evaluate", "road/1", "--out", "scores")
    assert said.code == 0, said.err
    rows = list(csv.DictReader(Path("scores", "label_issues.csv").read_text(encoding="utf-8").splitlines()))
    assert rows
    assert {(row["picture"], row["labelled"]) for row in rows} == {("5.png", "blue")}
    assert f"labels in doubt: {len(rows)}" in said.out
    assert "1. 5.png" in Path("scores", "report.html").read_text(encoding="utf-8")


def test_warnings_are_told_beside_the_scores(atrous: Callable[..., Said], prepare: Callable[..., None]) -> None:
    prepare(pictures=3)
    said = atrous("evaluate", "road/1", "--out", "scores")
    assert "warning: 3 pictures were scored" in said.err
    kinds = [one["kind"] for one in json.loads(Path("scores", "report.json").read_text("utf-8"))["warnings"]]
    assert "few_pictures" in kinds


def test_the_report_tells_how_the_model_was_made(
    atrous: Callable[..., Said], home: Path, prepare: Callable[..., None]
) -> None:
    prepare()
    ports = open_home(home)
    training = ports.store.find_training("main", "t1")
    assert training is not None
    record_epochs(ports, training, [{"epoch": 1, "loss": 0.9, "miou": None}, {"epoch": 2, "loss": 0.4, "miou": 0.7}])
    assert atrous("evaluate", "road/1", "--out", "scores").code == 0
    told = json.loads(Path("scores", "report.json").read_text("utf-8"))
    assert told["epochs"][1] == {"number": 2, "loss": 0.4, "mean_iou": 0.7}
    assert told["made_by"]["model_id"] == "road/1"
    assert told["made_by"]["sha256"]["weights.onnx"]
    assert [speed["precision"] for speed in told["speeds"]] == ["fp32"]
    assert told["speeds"][0]["median_ms"] > 0


def test_a_model_is_compared_with_another_one(
    atrous: Callable[..., Said], home: Path, prepare: Callable[..., None]
) -> None:
    prepare()
    # Sees half as much, so that its borders are blurred.
    publish(home, training="t2", size=Size(height=24, width=24))
    said = atrous("evaluate", "road/1", "--against", "main/road-1-t2", "--out", "scores")
    assert said.code == 0, said.err
    told = json.loads(Path("scores", "report.json").read_text("utf-8"))
    assert told["against"] == "main/road-1-t2"
    assert told["comparison"]["served"]["mean_iou"] > 0.01
    assert "This model is clearly better than main/road-1-t2" in said.out
    assert "Against main/road-1-t2" in Path("scores", "report.html").read_text("utf-8")


def test_a_model_of_other_classes_is_not_compared(
    atrous: Callable[..., Said], home: Path, prepare: Callable[..., None]
) -> None:
    prepare()
    publish(home, training="t2", class_names=("background", "red", "green", "sky"))
    said = atrous("evaluate", "road/1", "--against", "main/road-1-t2")
    assert said.code == 2
    assert "the two models cannot be compared" in said.error


def test_a_model_that_is_not_there_is_not_compared(atrous: Callable[..., Said], prepare: Callable[..., None]) -> None:
    prepare()
    said = atrous("evaluate", "road/1", "--against", "main/nothing")
    assert said.code == 3
    assert "main/nothing" in said.error


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_scored(
    atrous: Callable[..., Said], prepare: Callable[..., None], tmp_path: Path
) -> None:
    prepare()
    (tmp_path / "file").touch()
    said = atrous("evaluate", "road/1", "--out", "file/scores")
    assert said.code == 2
    assert "file/scores: cannot be used" in said.error
    assert "evaluating" not in said.err
