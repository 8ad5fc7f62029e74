from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from atrous.datasets.outlines.outline import BOXES
from atrous.datasets.source import LabelValues, PictureShape
from atrous.datasets.splits import Split
from tests.datasets.damage import damaged_documents
from tests.datasets.generated import coco_document, draw_scenes, write_coco, write_jpeg, write_json

if TYPE_CHECKING:
    from atrous.datasets.source import Source

SCENES = draw_scenes()[:2]


def write_split(folder: Path, **changes: Any) -> None:
    """One train split of two scenes, with some of the document's lists replaced."""
    for scene in SCENES:
        write_jpeg(folder / "train" / f"{scene.stem}.jpg", scene.image_HWC)
    write_json(folder / "train" / "_annotations.coco.json", coco_document(SCENES) | changes)


def read_coco(folder: Path) -> Source:
    name, source = read_source(open_folder(folder))
    assert name == "coco"
    return source


def box(category_id: int, image_id: int = 0, **more: Any) -> dict[str, Any]:
    polygon = [0, 0, 4, 0, 4, 4, 0, 4]
    return {"id": 7, "image_id": image_id, "category_id": category_id, "segmentation": [polygon]} | more


def load_first(source: Source) -> LabelledPicture | Finding:
    return load_labelled_picture(source.items[0], map_classes(source.classes, None))


def test_values_are_category_ids(tmp_path: Path) -> None:
    write_coco(tmp_path)
    assert read_coco(tmp_path).classes == {0: "background", 5: "road", 900: "sign", 65535: "void"}


def test_placeholder_category_is_dropped_and_said_so(tmp_path: Path) -> None:
    write_coco(tmp_path)
    notes = read_coco(tmp_path).notes
    assert "category 'streets' (id 0) is a placeholder without annotations: dropped" in notes


def test_placeholder_named_as_its_only_class_is_dropped(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "cells", "supercategory": "none"},
        {"id": 1, "name": "cells", "supercategory": "cells"},
    ]
    write_split(tmp_path, categories=categories, annotations=[box(1)])
    assert read_coco(tmp_path).classes == {0: "background", 1: "cells"}


def test_category_0_with_annotations_is_a_class(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "cat", "supercategory": "none"}, {"id": 1, "name": "dog", "supercategory": "none"}]
    write_split(tmp_path, categories=categories, annotations=[box(0)])
    source = read_coco(tmp_path)
    assert source.classes == {0: "background", 1: "cat", 2: "dog"}
    assert "values 1 to 2 stand for them" in " ".join(source.notes)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.counts[1] == 16


def test_category_without_annotations_stays_a_class(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5)])
    assert 900 in read_coco(tmp_path).classes


def test_ids_that_differ_between_splits_are_joined_by_name(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "road"}, {"id": 2, "name": "sign"}]
    write_split(tmp_path, categories=categories, annotations=[box(2)])
    scene = SCENES[0]
    write_jpeg(tmp_path / "valid" / f"{scene.stem}.jpg", scene.image_HWC)
    document = coco_document([scene]) | {"categories": [{"id": 1, "name": "sign"}], "annotations": [box(1)]}
    write_json(tmp_path / "valid" / "_annotations.coco.json", document)
    source = read_coco(tmp_path)
    mapping = map_classes(source.classes, None)
    assert mapping.class_map.names == ("background", "road", "sign")
    for item in (source.items[0], source.items[-1]):
        labelled = load_labelled_picture(item, mapping)
        assert isinstance(labelled, LabelledPicture)
        assert labelled.counts[2] == 16


def test_same_name_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    write_split(tmp_path, categories=[{"id": 1, "name": "car"}, {"id": 2, "name": "car"}], annotations=[])
    with pytest.raises(InvalidDatasetError, match="categories 1 and 2 are both named 'car'"):
        read_coco(tmp_path)


def test_picture_without_annotations_is_background_and_said_so(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5, image_id=1)])
    source = read_coco(tmp_path)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    assert not labelled.mask_HW.any()
    assert "pictures without any annotation, which become background throughout: 1" in source.notes


def test_picture_with_boxes_alone_is_a_finding(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5, segmentation=[], bbox=[0, 0, 4, 4])])
    finding = load_first(read_coco(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.kind is Kind.UNUSABLE_OUTLINE
    assert "only boxes (1)" in finding.reason


def test_one_file_beside_a_folder_of_images(tmp_path: Path) -> None:
    for scene in SCENES:
        write_jpeg(tmp_path / "images" / f"{scene.stem}.jpg", scene.image_HWC)
    write_json(tmp_path / "instances.json", coco_document(SCENES))
    source = read_coco(tmp_path)
    assert [item.split for item in source.items] == [None, None]
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    np.testing.assert_array_equal(labelled.mask_HW, SCENES[0].mask_HW)


def test_annotations_of_no_picture_are_a_finding(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5), box(5, image_id=99)])
    (finding,) = read_coco(tmp_path).findings
    assert finding.reason == "1 annotations belong to no listed picture"


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "..\\secret.jpg", ""])
def test_file_name_that_leads_out_of_the_dataset_is_refused(name: str, tmp_path: Path) -> None:
    write_split(tmp_path, images=[{"id": 0, "file_name": name, "height": 24, "width": 32}])
    with pytest.raises(InvalidDatasetError, match="leads out of the dataset"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"categories": {}}, "has no 'categories' as COCO has it"),
        ({"categories": [{"id": 1}], "annotations": []}, "category 1: has no 'name'"),
        ({"images": [{"id": 0, "file_name": "a.jpg"}], "annotations": []}, "image 0: has no 'height'"),
        ({"images": [{"id": 0}, {"id": 0}]}, r"images\[1\] has the id 0 of another"),
        ({"annotations": [{"id": 1, "category_id": 5}]}, r"annotations\[0\]: has no 'image_id'"),
        ({"annotations": [3]}, r"annotations\[0\]: has no 'image_id'"),
        ({"categories": [{"id": 1, "name": " "}]}, "category 1: has an empty name"),
    ],
)
def test_file_that_is_no_coco_is_refused_with_the_place(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    write_split(tmp_path, **changes)
    with pytest.raises(InvalidDatasetError, match=reason):
        read_coco(tmp_path)


def test_cut_off_json_is_refused(tmp_path: Path) -> None:
    write_split(tmp_path)
    path = tmp_path / "train" / "_annotations.coco.json"
    path.write_text(json.dumps(coco_document(SCENES))[:-40])
    with pytest.raises(InvalidDatasetError, match="is not JSON"):
        read_coco(tmp_path)


def write_pictures(folder: Path, *names: str) -> None:
    for name in names:
        write_jpeg(folder / name, SCENES[0].image_HWC)


def document_of(*file_names: str, **changes: Any) -> dict[str, Any]:
    """A document that lists these pictures with a square each."""
    images = [{"id": key, "file_name": name, "height": 24, "width": 32} for key, name in enumerate(file_names)]
    annotations = [box(5, image_id=key) for key in range(len(file_names))]
    return {"categories": [{"id": 5, "name": "road"}], "images": images, "annotations": annotations} | changes


def found_in(source: Source) -> dict[str, Split | None]:
    return {item.image.name: item.split for item in source.items}


def test_box_beside_outlines_becomes_void_and_is_counted(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5), box(5, segmentation=[], bbox=[2, 0, 4, 4])])
    source = read_coco(tmp_path)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    np.testing.assert_array_equal(labelled.mask_HW[0, :7], [1, 1, 1, 1, 255, 255, 0])
    assert labelled.remarks == {BOXES: 1}
    assert source.classes[65535] == "void"


def test_annotation_with_neither_outline_nor_box_is_a_finding(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5), box(5, segmentation=[[]])])
    finding = load_first(read_coco(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.reason == "annotation 7 in _annotations.coco.json has no outline"


@pytest.mark.parametrize("category_id", [77, None, "5"])
def test_unknown_category_is_a_finding_of_its_picture_alone(category_id: Any, tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(category_id), box(5, image_id=1)])
    source = read_coco(tmp_path)
    first, second = (load_labelled_picture(item, map_classes(source.classes, None)) for item in source.items)
    assert isinstance(first, Finding)
    assert f"has the category {category_id!r}, which is not in the list" in first.reason
    assert isinstance(second, LabelledPicture)


@pytest.mark.parametrize(
    "null",
    [
        {"id": 999999999, "image_id": 999999999, "category_id": 0, "area": 1, "segmentation": [], "iscrowd": 0},
        {"id": 3, "image_id": 0, "category_id": 6, "bbox": [0, 0, 32, 24], "segmentation": []},
    ],
)
def test_null_annotation_leaves_its_picture_background(null: dict[str, Any], tmp_path: Path) -> None:
    categories = [{"id": 5, "name": "road"}, {"id": 6, "name": "null"}]
    write_split(tmp_path, categories=categories, annotations=[null])
    source = read_coco(tmp_path)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    assert not labelled.mask_HW.any()
    assert source.classes == {0: "background", 5: "road"}
    assert source.findings == ()
    assert "annotations that only say that their picture shows nothing: 1" in source.notes


@pytest.mark.parametrize("holder", [lambda z: {"z_order": z}, lambda z: {"attributes": {"z_order": z}}])
def test_annotations_with_a_layer_are_painted_lower_first(holder: Any, tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(900, **holder(2)), box(5, **holder(1))])
    source = read_coco(tmp_path)
    labelled = load_first(source)
    assert isinstance(labelled, LabelledPicture)
    assert labelled.counts[2] == 16
    assert "outlines are painted in the order of z_order, the highest last" in source.notes


@pytest.mark.parametrize("images", ["", "images/"])
def test_classic_layout_has_a_file_a_split(images: str, tmp_path: Path) -> None:
    write_pictures(tmp_path, f"{images}train2017/1.jpg", f"{images}val2017/1.jpg")
    write_json(tmp_path / "annotations" / "instances_train2017.json", document_of("1.jpg"))
    write_json(tmp_path / "annotations" / "instances_val2017.json", document_of("1.jpg"))
    for name in ("captions_val2017", "person_keypoints_val2017", "stuff_val2017", "panoptic_val2017"):
        write_json(tmp_path / "annotations" / f"{name}.json", document_of("1.jpg"))
    source = read_coco(tmp_path)
    expected = {f"{images}train2017/1.jpg": Split.TRAIN, f"{images}val2017/1.jpg": Split.VALID}
    assert found_in(source) == expected
    assert source.findings == ()
    assert any("stuff_val2017.json" in note for note in source.notes)


@pytest.mark.parametrize(
    ("annotations", "picture", "file_name"),
    [
        ("annotations/instances_default.json", "images/1.jpg", "1.jpg"),
        ("annotations.json", "JPEGImages/1.jpg", "JPEGImages/1.jpg"),
        ("result.json", "photos/deep/1.jpg", "1.jpg"),
        ("result.json", "photos/deep/1.jpg", "upload\\deep\\1.jpg"),
    ],
)
def test_pictures_are_found_where_tools_put_them(
    annotations: str, picture: str, file_name: str, tmp_path: Path
) -> None:
    write_pictures(tmp_path, picture)
    write_json(tmp_path / annotations, document_of(file_name))
    source = read_coco(tmp_path)
    assert found_in(source) == {picture: None}
    assert source.findings == ()


def test_name_that_two_folders_hold_is_a_finding(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a/1.jpg", "b/1.jpg")
    write_json(tmp_path / "result.json", document_of("1.jpg"))
    source = read_coco(tmp_path)
    assert source.items == ()
    assert [(finding.kind, finding.file) for finding in source.findings] == [(Kind.SAME_NAME, "1.jpg")]


def test_picture_that_is_listed_twice_is_a_finding(tmp_path: Path) -> None:
    write_pictures(tmp_path, "images/1.jpg", "images/2.jpg")
    write_json(tmp_path / "result.json", document_of("1.jpg", "1.jpg", "2.jpg"))
    source = read_coco(tmp_path)
    assert list(found_in(source)) == ["images/2.jpg"]
    assert [(finding.kind, finding.file) for finding in source.findings] == [(Kind.SAME_NAME, "images/1.jpg")]


def test_panoptic_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    write_pictures(tmp_path, "val2017/1.jpg")
    panoptic = {"image_id": 0, "file_name": "1.png", "segments_info": [{"id": 3, "category_id": 5}]}
    path = tmp_path / "annotations" / "panoptic_val2017.json"
    write_json(path, document_of("1.jpg", annotations=[panoptic]))
    with pytest.raises(InvalidDatasetError, match=r"is COCO panoptic, .*; use its instances_ or stuff_ file"):
        read_coco(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_documents(coco_document(SCENES[:1])))
def test_any_value_at_any_place_gives_a_label_or_a_finding(document: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_jpeg(Path(name) / "train" / f"{SCENES[0].stem}.jpg", SCENES[0].image_HWC)
        write_json(Path(name) / "train" / "_annotations.coco.json", document)
        try:
            _, source = read_source(open_folder(Path(name)))
        except InvalidDatasetError:
            return
        for item in source.items:
            item.label.digest()
            assert isinstance(item.label.load(PictureShape(Size(24, 32)), NO_FIXES), LabelValues | Finding)
