from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.findings import Finding
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from tests.datasets.generated import coco_document, draw_scenes, write_coco, write_jpeg, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.source import Source

SCENES = draw_scenes()[:2]


def write_split(folder: Path, **changes: Any) -> None:
    """One train split of two scenes, with some of the document's lists replaced."""
    for scene in SCENES:
        write_jpeg(folder / "train" / f"{scene.stem}.jpg", scene.image_HWC)
    write_json(folder / "train" / "_annotations.coco.json", coco_document(SCENES) | changes)


def read_coco(folder: Path) -> Source:
    name, source = read_source(folder)
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


def test_annotation_with_a_box_alone_is_a_finding(tmp_path: Path) -> None:
    write_split(tmp_path, annotations=[box(5, segmentation=[], bbox=[0, 0, 4, 4])])
    finding = load_first(read_coco(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.reason == "annotation 7 in _annotations.coco.json has no outline"


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
        ({"annotations": [box(77)]}, r"annotations\[0\]: its category 77 is not in the list"),
        ({"annotations": [3]}, r"annotations\[0\]: has no 'category_id'"),
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
