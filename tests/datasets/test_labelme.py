from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.outlines.outline import OVERPAINTED
from atrous.datasets.source import NO_HINTS, Hints, LabelValues, PictureShape, Source
from tests.datasets.damage import damaged_documents
from tests.datasets.generated import HEIGHT, WIDTH, draw_scenes, write_jpeg, write_json
from tests.datasets.generated_outlines import labelme_document, write_labelme

SCENE = draw_scenes()[0]
DOCUMENT = labelme_document(SCENE)
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "labelme_voc"


def write_one(folder: Path, **changes: Any) -> None:
    write_jpeg(folder / f"{SCENE.stem}.jpg", SCENE.image_HWC)
    write_json(folder / f"{SCENE.stem}.json", DOCUMENT | changes)


def read_labelme(folder: Path, hints: Hints = NO_HINTS) -> Source:
    name, source = read_source(open_folder(folder), hints=hints)
    assert name == "labelme"
    return source


def shape(kind: str | None, points: Any, label: Any = "road", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind} | more


def load_first(source: Source) -> LabelledPicture | Finding:
    return load_labelled_picture(source.items[0], map_classes(source.classes, None))


def draw(folder: Path, *shapes: Any) -> np.ndarray:
    write_one(folder, shapes=list(shapes))
    labelled = load_first(read_labelme(folder))
    assert isinstance(labelled, LabelledPicture), labelled
    return labelled.mask_HW


def reason_of(folder: Path, *shapes: Any) -> str:
    write_one(folder, shapes=[shape("polygon", [[0, 0], [9, 0], [9, 9]]), *shapes])
    finding = load_first(read_labelme(folder))
    assert isinstance(finding, Finding)
    assert finding.file == f"{SCENE.stem}.json"
    return finding.reason


def encode_png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_circle_is_a_centre_and_a_point_on_its_rim(tmp_path: Path) -> None:
    mask_HW = draw(tmp_path, shape("circle", [[16, 12], [16, 4]]))
    ys, xs = np.nonzero(mask_HW)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (8, 24, 4, 20)
    assert mask_HW.sum() == pytest.approx(np.pi * 8.5**2, rel=0.03)


def test_rectangle_may_be_drawn_from_any_corner(tmp_path: Path) -> None:
    mask_HW = draw(tmp_path, shape("rectangle", [[9, 8], [4, 3]]))
    assert mask_HW[3:9, 4:10].all()
    assert mask_HW.sum() == 36


@pytest.mark.parametrize("kind", ["line", "linestrip"])
def test_lines_are_ten_pixels_wide(kind: str, tmp_path: Path) -> None:
    mask_HW = draw(tmp_path, shape(kind, [[0, 12], [31, 12]]))
    assert (mask_HW.sum(axis=0) == 10).all()


def test_point_is_a_disc_of_radius_five(tmp_path: Path) -> None:
    ys, xs = np.nonzero(draw(tmp_path, shape("point", [[16, 12]])))
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (11, 21, 7, 17)


def test_shape_without_a_kind_is_a_polygon_as_in_version_3(tmp_path: Path) -> None:
    assert draw(tmp_path, shape(None, [[0, 0], [3, 0], [3, 3], [0, 3]])).sum() == 16


def test_mask_is_pasted_into_its_box(tmp_path: Path) -> None:
    bitmap_HW = np.eye(6, dtype=np.bool_)
    mask_HW = draw(tmp_path, shape("mask", [[4.4, 5.9], [9, 10]], mask=encode_png(bitmap_HW)))
    np.testing.assert_array_equal(mask_HW[5:11, 4:10], bitmap_HW)
    assert mask_HW.sum() == 6


def test_later_shapes_lie_over_earlier_ones(tmp_path: Path) -> None:
    square = [[0, 0], [3, 0], [3, 3], [0, 3]]
    write_one(tmp_path, shapes=[shape("polygon", square, "road"), shape("polygon", square, "sign")])
    labelled = load_first(read_labelme(tmp_path))
    assert isinstance(labelled, LabelledPicture)
    assert labelled.counts[2] == 16
    assert labelled.remarks == {OVERPAINTED: 16}


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (shape("polygon", [[0, 0], [9, "a"], [9, 9]]), "no list of x and y"),
        (shape("polygon", [[0, 0], [9], [9, 9]]), "no list of x and y"),
        (shape("circle", [[9, 9]]), "is a circle of 1 points instead of 2"),
        (shape("star", [[9, 9]]), "is 'star', which is no shape that labelme draws"),
        (shape("line", [[0, 0], [1e9, 0]]), "far outside its picture"),
        (shape("polygon", [[0, 0], [9, 0], [9, 9]], label=None), "shape 2 has no label"),
        (3, "shape 2 has no label"),
        (shape("mask", [[4, 5], [9, 10]], mask="????"), "has a damaged bitmap"),
        (shape("mask", [[4, 5], [9, 10]], mask="AAAA"), "has a damaged bitmap"),
        (shape("mask", [[4, 5], [9, 10]]), "without a box or a bitmap"),
        (shape("mask", [[4, 5], [9, 9]], mask=encode_png(np.eye(6, dtype=np.bool_))), "another size than its box"),
    ],
)
def test_shape_that_says_nothing_certain_is_a_finding(damaged: Any, reason: str, tmp_path: Path) -> None:
    assert reason in reason_of(tmp_path, damaged)


def test_file_of_flags_alone_is_an_empty_label(tmp_path: Path) -> None:
    write_labelme(tmp_path)
    write_json(tmp_path / "train" / f"{SCENE.stem}.json", DOCUMENT | {"shapes": [], "flags": {"empty": True}})
    source = read_labelme(tmp_path)
    (item,) = (item for item in source.items if item.image.stem == SCENE.stem)
    labelled = load_labelled_picture(item, map_classes(source.classes, None))
    assert isinstance(labelled, LabelledPicture)
    assert not labelled.mask_HW.any()


def test_labels_txt_orders_the_classes(tmp_path: Path) -> None:
    write_one(tmp_path)
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ntree\nsign\n")
    source = read_labelme(tmp_path)
    assert map_classes(source.classes, None).class_map.names == ("background", "tree", "sign", "road")
    assert "classes that the list of classes lacks, added after it: road" in source.notes


def test_labels_txt_beside_the_folder_counts(tmp_path: Path) -> None:
    write_one(tmp_path / "data_annotated")
    (tmp_path / "labels.txt").write_text("sign\nroad\n")
    assert map_classes(read_labelme(tmp_path).classes, None).class_map.names == ("background", "sign", "road")


def test_given_list_of_classes_counts(tmp_path: Path) -> None:
    write_one(tmp_path / "data")
    (tmp_path / "mine.txt").write_text("sign\nroad\n")
    source = read_labelme(tmp_path / "data", Hints(class_list=tmp_path / "mine.txt"))
    assert map_classes(source.classes, None).class_map.names == ("background", "sign", "road")


@pytest.mark.parametrize("image_path", ["..\\photos\\gone.jpg", "C:\\photos\\gone.jpg", "", "/x", f"{SCENE.stem}.json"])
def test_picture_beside_its_file_is_found_whatever_the_path_says(image_path: str, tmp_path: Path) -> None:
    write_one(tmp_path, imagePath=image_path)
    source = read_labelme(tmp_path)
    assert [item.image.name for item in source.items] == [f"{SCENE.stem}.jpg"]


def test_picture_in_another_folder_is_found_by_its_path(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "images" / "photo.jpg", SCENE.image_HWC)
    write_json(tmp_path / "annotations" / "a.json", DOCUMENT | {"imagePath": "..\\images\\photo.jpg"})
    assert [item.image.name for item in read_labelme(tmp_path).items] == ["images/photo.jpg"]


def test_name_that_two_folders_hold_is_a_finding(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_jpeg(tmp_path / folder / "photo.jpg", SCENE.image_HWC)
    write_json(tmp_path / "annotations" / "a.json", DOCUMENT | {"imagePath": "photo.jpg"})
    source = read_labelme(tmp_path)
    assert source.items == ()
    assert (source.findings[0].kind, source.findings[0].file) == (Kind.SAME_NAME, "annotations/a.json")


def test_picture_that_two_files_label_is_a_finding(tmp_path: Path) -> None:
    write_one(tmp_path)
    write_json(tmp_path / "copy.json", DOCUMENT)
    source = read_labelme(tmp_path)
    assert source.items == ()
    (finding,) = source.findings
    assert finding.reason == f"is labelled by copy.json and {SCENE.stem}.json"


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_picture_inside_the_file_is_taken_where_there_is_no_other(suffix: str, tmp_path: Path) -> None:
    data = cv2.imencode(suffix, SCENE.image_HWC)[1].tobytes()
    embedded = {"imageData": base64.b64encode(data).decode(), "imagePath": f"..\\photos\\shot{suffix}"}
    write_json(tmp_path / "a.json", DOCUMENT | embedded)
    source = read_labelme(tmp_path)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    assert source.items[0].image.name == f"shot{suffix}"
    assert labelled.image == data
    np.testing.assert_array_equal(labelled.mask_HW, SCENE.mask_HW)


def test_damaged_picture_inside_the_file_is_a_finding(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", DOCUMENT | {"imageData": "/9j/4AAQ"})
    finding = load_first(read_labelme(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.DAMAGED_PICTURE


def test_file_without_a_size_fits_its_picture(tmp_path: Path) -> None:
    write_one(tmp_path, imageHeight=None, imageWidth=None)
    labelled = load_first(read_labelme(tmp_path))
    assert isinstance(labelled, LabelledPicture)
    np.testing.assert_array_equal(labelled.mask_HW, SCENE.mask_HW)


def test_cut_off_file_is_named_and_its_picture_is_not_named_again(tmp_path: Path) -> None:
    write_labelme(tmp_path)
    path = tmp_path / "train" / f"{SCENE.stem}.json"
    path.write_text(path.read_text()[:-20])
    (finding,) = read_labelme(tmp_path).findings
    assert (finding.kind, finding.file) == (Kind.DAMAGED_LABEL, f"train/{SCENE.stem}.json")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_documents(DOCUMENT))
def test_any_value_at_any_place_gives_a_label_or_a_finding(document: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_jpeg(folder / f"{SCENE.stem}.jpg", SCENE.image_HWC)
        write_json(folder / f"{SCENE.stem}.json", document)
        write_json(folder / "a.json", DOCUMENT | {"imageData": "AAAA", "imagePath": "a.jpg"})
        try:
            source = read_labelme(folder)
        except InvalidDatasetError:
            return
        for item in source.items:
            item.label.digest()
            result = item.label.load(PictureShape(Size(HEIGHT, WIDTH)), NO_FIXES)
            assert isinstance(result, LabelValues | Finding)


@pytest.mark.parametrize("part", ["semantic_segmentation", "instance_segmentation"])
def test_labels_are_as_labelme_itself_exports_them(part: str) -> None:
    if not DATA.is_dir():
        pytest.skip("labelme_voc is not on this machine")
    # It lies beside the folder, out of what is opened.
    names = Hints(class_list=DATA / part / "labels.txt")
    source = read_labelme(DATA / part / "data_annotated", names)
    mapping = map_classes(source.classes, None)
    assert len(source.items) == 3
    for item in source.items:
        labelled = load_labelled_picture(item, mapping)
        assert isinstance(labelled, LabelledPicture)
        exported = DATA / part / "data_dataset_voc" / "SegmentationClass" / f"{item.image.stem}.png"
        with Image.open(exported) as mask:
            different_px = np.count_nonzero(labelled.mask_HW != np.asarray(mask))
        assert different_px <= 1  # Pillow has changed its rounding since
