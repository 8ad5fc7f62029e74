"""Real datasets, which are no part of the project; skipped where they are absent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.formats import read_source
from atrous.datasets.labels import load_labelled_picture
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.source import Hints, Source
from atrous.datasets.splits import Split

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def real_set(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not on this machine")
    return folder


def load_all(
    folder: Path, fixes: Fixes = NO_FIXES, class_list: Path | None = None, only: Split | None = None
) -> tuple[str, Source, dict[str, float], list[Finding]]:
    """Format, source, share of each name in per cent of the pixels of a split or of all, and what was left out."""
    name, source = read_source(open_folder(folder), hints=Hints(class_list, fixes))
    mapping = map_classes(source.classes, None)
    counts = np.zeros(256, np.int64)
    left_out: list[Finding] = []
    chosen = [item for item in source.items if only in {None, item.split}]
    for found in map_in_threads(lambda item: load_labelled_picture(item, mapping, fixes), chosen):
        if isinstance(found, Finding):
            left_out.append(found)
        else:
            counts += found.counts
    names = dict(enumerate(mapping.class_map.names)) | {255: "void"}
    shares = {names[int(n)]: 100 * float(counts[n] / counts.sum()) for n in np.flatnonzero(counts)}
    return name, source, shares, left_out


def read_shares(folder: Path, split: Split) -> tuple[str, Counter[Split | None], tuple[str, ...], np.ndarray]:
    """Format, pictures by split, class names and the share of each id in one split, in per cent of all pixels."""
    name, source, shares, left_out = load_all(folder, only=split)
    assert source.findings == ()
    assert left_out == []
    names = map_classes(source.classes, None).class_map.names
    by_id = np.zeros(256)
    for class_id, class_name in [*enumerate(names), (255, "void")]:
        by_id[class_id] = shares.get(class_name, 0)
    return name, Counter(item.split for item in source.items), names, by_id


def test_camvid_is_shifted_by_one_and_keeps_its_published_shares() -> None:
    name, by_split, names, shares = read_shares(real_set("camvid"), Split.TRAIN)
    assert (name, by_split) == ("png-masks", {Split.TRAIN: 367, Split.VALID: 101})
    assert names[:3] == ("background", "sky", "building")
    expected = [0, 16.85, 23.26, 0.98, 31.66, 4.49, 9.72, 1.17, 1.13, 5.87, 0.64, 0.29]
    np.testing.assert_allclose(shares[:12], expected, atol=0.005)
    assert shares[255] == pytest.approx(3.95, abs=0.005)


def test_roboflow_masks_are_read_as_exported() -> None:
    name, by_split, names, shares = read_shares(real_set("rf_png_dhcn"), Split.TEST)
    assert (name, by_split) == ("roboflow-png", {Split.TRAIN: 60, Split.VALID: 30, Split.TEST: 30})
    assert names[:2] == ("background", "cabinet")
    # Counted with Pillow and numpy.bincount on the same files.
    expected = [2.09, 1.9, 0.4, 2.64, 13.69, 0.11, 4.65, 54.8, 0.4, 1.41, 17.9]
    np.testing.assert_allclose(shares[:11], expected, atol=0.005)


def test_roboflow_polygons_are_read_without_the_placeholder() -> None:
    name, by_split, names, shares = read_shares(real_set("rf_coco_mushroom"), Split.VALID)
    assert (name, by_split) == ("coco", {Split.TRAIN: 27, Split.VALID: 6, Split.TEST: 3})
    assert names == ("background", "Mushroom")
    # 41.3 where the pixels under the outline itself are counted in, as cv2.fillPoly does; pycocotools leaves them out.
    assert shares[1] == pytest.approx(40.11, abs=0.01)


def test_jpeg_masks_are_refused_not_misread() -> None:
    name, source, shares, left_out = load_all(real_set("kvasir_5_jpegmasks"))
    assert (name, len(source.items), shares) == ("png-masks", 5, {})
    assert [finding.fix for finding in left_out] == [Fix.THRESHOLD_JPEG_MASKS] * 5


# Shares below were counted with Pillow and numpy.unique on the same files.


def test_jpeg_masks_are_parted_when_told() -> None:
    _, source, shares, left_out = load_all(real_set("kvasir_5_jpegmasks"), frozenset({Fix.THRESHOLD_JPEG_MASKS}))
    assert source.classes == {0: "background", 255: "foreground"}
    assert left_out == []
    assert shares["foreground"] == pytest.approx(23.50, abs=0.005)


def test_membranes_need_no_list_and_their_pictures_without_label_are_told() -> None:
    name, source, shares, left_out = load_all(real_set("membrane_em"))
    assert (name, left_out) == ("png-masks", [])
    assert {item.split for item in source.items} == {Split.TRAIN}
    assert shares["foreground"] == pytest.approx(77.73, abs=0.005)
    assert [(one.kind, one.file) for one in source.findings] == [
        (Kind.NO_LABEL, "data/membrane/test/0.png"),
        (Kind.NO_LABEL, "data/membrane/test/1.png"),
    ]


def test_membranes_are_the_class_when_told() -> None:
    _, source, shares, _ = load_all(real_set("membrane_em"), frozenset({Fix.INVERT_MASKS}))
    assert source.classes == {0: "foreground", 255: "background"}
    assert shares["foreground"] == pytest.approx(22.27, abs=0.005)


def test_list_of_colours_that_the_masks_do_not_hold_is_refused() -> None:
    with pytest.raises(InvalidDatasetError, match=r"not one of .* hold #8429f6 \(3\d\.?\d? %\)"):
        load_all(real_set("dubai_aerial_palette"))


def test_aerial_colours_are_read_with_the_right_list(tmp_path: Path) -> None:
    right = tmp_path / "right.csv"
    right.write_text(
        "land,#8429F6\nwater,#E2A929\nbuilding,#3C1098\nvegetation,#FEDD3A\nroad,#6EC1E4\nunlabelled,#9B9B9B\n"
    )
    folder = real_set("dubai_aerial_palette")
    name, source, _, left_out = load_all(folder, class_list=right)
    assert (name, len(source.items)) == ("colour-masks", 11)
    (finding,) = left_out
    assert finding.file == "Semantic segmentation dataset/Tile 8/masks/image_part_003.png"
    assert finding.value == "#000000"
    _, _, shares, left_out = load_all(folder, frozenset({Fix.UNDECLARED_TO_VOID}), right)
    assert left_out == []
    expected = {"land": 34.60, "water": 10.00, "building": 24.74, "vegetation": 12.65, "road": 11.72, "void": 6.30}
    assert shares == pytest.approx(expected, abs=0.005)


def test_cityscapes_ids_are_read_by_their_usual_names() -> None:
    name, source, shares, left_out = load_all(real_set("cityscapes_sample"))
    assert (name, len(source.items), source.findings, left_out) == ("cityscapes", 1, (), [])
    # The train ids of the same frame, scaled down separately.
    expected = {"road": 29.71, "sidewalk": 8.04, "building": 38.90, "car": 5.49, "void": 11.81}
    assert {one: shares[one] for one in expected} == pytest.approx(expected, abs=0.05)


def test_endings_and_lists_of_mmsegmentation_are_understood(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("ground\none\ntwo\nthree\n")
    folder = real_set("cityscapes_sample") / "mmseg_pseudo_voc_like"
    name, source, shares, left_out = load_all(folder, class_list=names)
    assert (name, source.findings, left_out) == ("png-masks", (), [])
    assert [item.split for item in source.items] == [Split.TRAIN] * 4 + [Split.VALID]
    assert shares == pytest.approx({"ground": 72.07, "one": 7.19, "two": 3.72, "three": 17.03}, abs=0.01)
