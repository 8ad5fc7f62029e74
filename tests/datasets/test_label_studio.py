from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.outlines.brush_strokes import pack_strokes, unpack_strokes
from atrous.datasets.source import LabelValues, PictureShape, Source
from tests.datasets.damage import damaged_documents
from tests.datasets.generated import HEIGHT, WIDTH, draw_scenes, write_jpeg, write_json
from tests.datasets.generated_outlines import EXPORT_NAME, label_studio_task, pack_bits, region

SCENE = draw_scenes()[0]
SIZE = Size(HEIGHT, WIDTH)
TASK = label_studio_task(1, SCENE)
IMAGE = TASK["data"]["image"]
SQUARE = {"points": [[0, 0], [50, 0], [50, 50], [0, 50]]}


def write_tasks(folder: Path, *tasks: Any, picture: str = f"{SCENE.stem}.jpg") -> None:
    write_jpeg(folder / picture, SCENE.image_HWC)
    write_json(folder / EXPORT_NAME, list(tasks))


def task_of(*results: Any, image: str = IMAGE, **more: Any) -> dict[str, Any]:
    return {"id": 1, "annotations": [{"result": list(results)} | more], "data": {"image": image}}


def read_label_studio(folder: Path) -> Source:
    name, source = read_source(open_folder(folder))
    assert name == "label-studio"
    return source


def load_first(source: Source) -> LabelledPicture | Finding:
    return load_labelled_picture(source.items[0], map_classes(source.classes, None))


def draw(folder: Path, *results: Any) -> np.ndarray:
    write_tasks(folder, task_of(*results))
    labelled = load_first(read_label_studio(folder))
    assert isinstance(labelled, LabelledPicture), labelled
    return labelled.mask_HW


@pytest.mark.parametrize("repeat", [True, False])
def test_strokes_are_unpacked_as_they_were_packed(repeat: bool) -> None:
    rng = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.5, 1.0):
        noise_HW = rng.random((19, 33)) < share
        strokes = pack_strokes(pack_bits(noise_HW, repeat=repeat))
        np.testing.assert_array_equal(unpack_strokes(strokes.packed, Size(19, 33)), noise_HW)


def test_ellipse_lies_about_its_centre(tmp_path: Path) -> None:
    ellipse = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 0}
    ys, xs = np.nonzero(draw(tmp_path, region("ellipse", "road", ellipse)))
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (8, 23, 6, 17)


def test_turned_rectangle_is_an_area(tmp_path: Path) -> None:
    box = {"x": 50, "y": 25, "width": 25, "height": 12.5, "rotation": 90}
    mask_HW = draw(tmp_path, region("rectangle", "road", box))
    assert mask_HW[6:14, 13:16].all()
    assert mask_HW.sum() == 24


def test_label_may_stand_in_a_result_of_its_own(tmp_path: Path) -> None:
    shape = region("polygon", "road", SQUARE) | {"id": "r", "type": "polygon", "value": SQUARE}
    label = shape | {"type": "labels", "value": SQUARE | {"labels": ["road"]}}
    assert draw(tmp_path, shape, label).sum() == HEIGHT * WIDTH // 4


def test_choices_texts_and_relations_are_no_regions(tmp_path: Path) -> None:
    others = [{"type": "choices", "value": {"choices": ["night"]}}, {"type": "relation", "from_id": "a"}]
    assert draw(tmp_path, *others, region("polygon", "road", SQUARE)).any()


def test_submitted_without_regions_is_background(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "other.jpg", SCENE.image_HWC)
    write_tasks(tmp_path, task_of(image="other.jpg"), task_of(region("polygon", "road", SQUARE)))
    source = read_label_studio(tmp_path)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    assert not labelled.mask_HW.any()


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (region("polygon", "road", SQUARE, image_rotation=90), "was drawn on a turned picture"),
        (region("polygon", "road", SQUARE, original_width=None), "does not say its picture's size"),
        (region("polygon", "road", SQUARE, original_width=31), "is of another size than others"),
        (region("polygon", "road", {"points": [[1, 2], ["x", 3], [4, 5]]}), "no list of x and y"),
        (region("polygon", "road", {}), "has no outline"),
        (region("polygon", "road", SQUARE) | {"value": SQUARE}, "has no label"),
        (region("polygon", "road", SQUARE) | {"value": SQUARE | {"polygonlabels": ["a", "b"]}}, "or more than one"),
        (region("brush", "road", {"rle": "abc"}), "has no brush strokes"),
        (region("brush", "road", {"rle": [1, 300]}), "no list of bytes"),
        (region("brush", "road", {"rle": [0, 0, 12]}), "cut off"),
        (region("brush", "road", {"rle": [255] * 40}), "for another picture than one of 32x24"),
        (region("brush", "road", {"rle": pack_bits(SCENE.mask_HW == 1)[:-3]}), "cut off"),
        (region("brush", "road", {"rle": pack_bits(SCENE.mask_HW == 1)[:7] + [255] * 40}), "do not add up"),
    ],
)
def test_region_that_says_nothing_certain_is_a_finding(result: Any, reason: str, tmp_path: Path) -> None:
    write_tasks(tmp_path, task_of(region("polygon", "sign", SQUARE), result | {"id": "second"}))
    finding = load_first(read_label_studio(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.UNUSABLE_OUTLINE
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("image", "picture"),
    [
        ("/data/upload/1/0a1b2c3d-shot.jpg", "images/shot.jpg"),
        ("/data/upload/1/0a1b2c3d-shot.jpg", "images/0a1b2c3d-shot.jpg"),
        ("/data/local-files/?d=day%201/shot.jpg", "day 1/shot.jpg"),
        ("https://example.org/photos/my%20shot.jpg?key=1", "my shot.jpg"),
        ("s3://bucket/day/shot.jpg", "deep/day/shot.jpg"),
        ("http://[bad/shot.jpg", "shot.jpg"),
    ],
)
def test_picture_is_found_by_what_the_task_calls_it(image: str, picture: str, tmp_path: Path) -> None:
    write_tasks(tmp_path, task_of(region("polygon", "road", SQUARE), image=image), picture=picture)
    assert [item.image.name for item in read_label_studio(tmp_path).items] == [picture]


def test_name_that_two_folders_hold_is_a_finding(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a" / f"{SCENE.stem}.jpg", SCENE.image_HWC)
    write_tasks(tmp_path, TASK, picture=f"b/{SCENE.stem}.jpg")
    source = read_label_studio(tmp_path)
    assert source.items == ()
    assert source.findings[0].kind is Kind.SAME_NAME


def test_first_finished_annotation_counts(tmp_path: Path) -> None:
    cancelled = {"was_cancelled": True, "result": [region("polygon", "sign", SQUARE)]}
    finished = [{"result": [region("polygon", name, SQUARE)]} for name in ("road", "tree")]
    write_tasks(tmp_path, TASK | {"annotations": [cancelled, *finished]})
    source = read_label_studio(tmp_path)
    assert source.classes == {0: "background", 1: "road"}
    assert "tasks with several finished annotations, of which the first counts: 1" in source.notes


@pytest.mark.parametrize("annotations", [[], [{"was_cancelled": True, "result": []}]])
def test_task_without_a_finished_annotation_is_a_finding(annotations: Any, tmp_path: Path) -> None:
    write_jpeg(tmp_path / "other.jpg", SCENE.image_HWC)
    predicted = {"predictions": [{"result": [region("polygon", "sign", SQUARE)]}]}
    open_task = TASK | predicted | {"annotations": annotations}
    write_tasks(tmp_path, open_task, task_of(region("polygon", "road", SQUARE), image="other.jpg"))
    (finding,) = read_label_studio(tmp_path).findings
    assert (finding.kind, finding.file) == (Kind.NO_LABEL, f"{SCENE.stem}.jpg")


def test_picture_of_two_tasks_is_a_finding(tmp_path: Path) -> None:
    write_tasks(tmp_path, TASK, TASK | {"id": 2})
    (finding,) = read_label_studio(tmp_path).findings
    assert finding.reason == "is labelled by tasks 1 and 2"


def test_cut_off_export_is_refused(tmp_path: Path) -> None:
    write_tasks(tmp_path, TASK)
    path = tmp_path / EXPORT_NAME
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InvalidDatasetError, match="is not JSON"):
        read_label_studio(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_documents([TASK]))
def test_any_value_at_any_place_gives_a_label_or_a_finding(document: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_tasks(Path(name), TASK)
        write_json(Path(name) / EXPORT_NAME, document)
        try:
            _, source = read_source(open_folder(Path(name)))
        except InvalidDatasetError:
            return
        for item in source.items:
            item.label.digest()
            assert isinstance(item.label.load(PictureShape(SIZE), NO_FIXES), LabelValues | Finding)
