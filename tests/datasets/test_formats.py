"""What every format in FORMATS must do."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError, InvalidInputError
from atrous.core.sizes import Size
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding
from atrous.datasets.formats import FORMATS, read_source, recognise_format
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from tests.datasets.generated import CLASS_NAMES, GENERATORS, HEIGHT, WIDTH, draw_scenes, write_jpeg, write_png_masks

every_format = pytest.mark.parametrize("name", FORMATS)
SCENE = draw_scenes()[1]


def load_all(folder: Path, name: str) -> dict[str, LabelledPicture | Finding]:
    _, source = read_source(open_folder(folder), name)
    mapping = map_classes(source.classes, None)
    return {scene_stem(item.image.name): load_labelled_picture(item, mapping) for item in source.items}


def scene_stem(name: str) -> str:
    """The stem of the scene that a file shows; some formats write more after it."""
    return "_".join(Path(name).stem.split("_")[:3])


def test_every_format_has_a_generator() -> None:
    assert set(GENERATORS) == set(FORMATS)


@every_format
def test_format_is_recognised_as_itself_alone(name: str, tmp_path: Path) -> None:
    GENERATORS[name].write(tmp_path)
    assert recognise_format(open_folder(tmp_path)) == name
    assert [other for other, known in FORMATS.items() if known.recognise(open_folder(tmp_path))] == [name]


@every_format
def test_labels_come_back_pixel_for_pixel_in_our_ids(name: str, tmp_path: Path) -> None:
    scenes = GENERATORS[name].write(tmp_path)
    _, source = read_source(open_folder(tmp_path))
    assert map_classes(source.classes, None).class_map.names == CLASS_NAMES
    loaded = load_all(tmp_path, name)
    assert len(loaded) == len(scenes)
    for scene in scenes:
        labelled = loaded[scene.stem]
        assert isinstance(labelled, LabelledPicture)
        np.testing.assert_array_equal(labelled.mask_HW, scene.mask_HW)
        np.testing.assert_array_equal(labelled.counts, np.bincount(scene.mask_HW.ravel(), minlength=256))


@every_format
def test_splits_are_as_given(name: str, tmp_path: Path) -> None:
    scenes = GENERATORS[name].write(tmp_path)
    _, source = read_source(open_folder(tmp_path))
    assert {scene_stem(item.image.name): item.split for item in source.items} == {s.stem: s.split for s in scenes}


@every_format
def test_items_travel_to_other_processes(name: str, tmp_path: Path) -> None:
    GENERATORS[name].write(tmp_path)
    _, source = read_source(open_folder(tmp_path))
    assert pickle.loads(pickle.dumps(source.items)) == source.items


@every_format
def test_picture_without_label_is_a_finding(name: str, tmp_path: Path) -> None:
    generator = GENERATORS[name]
    generator.write(tmp_path)
    generator.lose_label(tmp_path, SCENE)
    _, source = read_source(open_folder(tmp_path), name)
    assert [finding.file for finding in source.findings] == [generator.picture_path(SCENE).as_posix()]
    assert SCENE.stem not in {scene_stem(item.image.name) for item in source.items}


@every_format
def test_label_without_picture_is_a_finding(name: str, tmp_path: Path) -> None:
    generator = GENERATORS[name]
    generator.write(tmp_path)
    (tmp_path / generator.picture_path(SCENE)).unlink()
    _, source = read_source(open_folder(tmp_path), name)
    assert [scene_stem(finding.file) for finding in source.findings] == [SCENE.stem]


@pytest.mark.parametrize("name", [name for name in FORMATS if GENERATORS[name].says_size])
def test_label_of_another_size_is_a_finding(name: str, tmp_path: Path) -> None:
    generator = GENERATORS[name]
    generator.write(tmp_path)
    write_jpeg(tmp_path / generator.picture_path(SCENE), np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    found = load_all(tmp_path, name)[SCENE.stem]
    assert isinstance(found, Finding)
    assert f"{Size(HEIGHT, WIDTH)}" in found.reason
    assert f"{Size(HEIGHT, WIDTH + 1)}" in found.reason


@every_format
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_cut_off_picture_is_a_finding(name: str, share: float, tmp_path: Path) -> None:
    generator = GENERATORS[name]
    generator.write(tmp_path)
    path = tmp_path / generator.picture_path(SCENE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    found = load_all(tmp_path, name)[SCENE.stem]
    assert isinstance(found, Finding)
    assert found.file == generator.picture_path(SCENE).as_posix()


@every_format
def test_files_that_macos_leaves_behind_are_no_pictures(name: str, tmp_path: Path) -> None:
    generator = GENERATORS[name]
    generator.write(tmp_path)
    path = tmp_path / generator.picture_path(SCENE)
    path.with_name(f"._{path.name}").write_bytes(b"\0")
    path.with_name(".DS_Store").write_bytes(b"\0")
    _, source = read_source(open_folder(tmp_path))
    assert source.findings == ()


def test_unknown_folder_names_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InvalidDatasetError) as error:
        recognise_format(open_folder(tmp_path))
    for known in FORMATS.values():
        assert known.description in str(error.value)


def test_folder_of_two_formats_asks_for_the_format(tmp_path: Path) -> None:
    write_png_masks(tmp_path)
    GENERATORS["coco"].write(tmp_path)
    with pytest.raises(InvalidDatasetError, match="png-masks or coco; say which one with --format"):
        recognise_format(open_folder(tmp_path))
    assert read_source(open_folder(tmp_path), "png-masks")[0] == "png-masks"


def test_named_format_must_fit(tmp_path: Path) -> None:
    write_png_masks(tmp_path)
    with pytest.raises(InvalidDatasetError, match="is not coco; looked for"):
        read_source(open_folder(tmp_path), "coco")


def test_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="use auto, png-masks, roboflow-png, coco"):
        read_source(open_folder(tmp_path), "nrrd")
