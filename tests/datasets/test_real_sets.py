"""Real datasets, which are no part of the project; skipped where they are absent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from atrous.datasets.class_mapping import map_classes
from atrous.datasets.findings import Finding
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.splits import Split

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def real_set(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not on this machine")
    return folder


def read_shares(folder: Path, split: Split) -> tuple[str, Counter[Split | None], tuple[str, ...], np.ndarray]:
    """Format, pictures by split, class names and the share of each id in one split, in per cent of all pixels."""
    name, source = read_source(folder)
    mapping = map_classes(source.classes, None)
    assert source.findings == ()
    counts = np.zeros(256, np.int64)
    chosen = [item for item in source.items if item.split is split]
    for labelled in map_in_threads(lambda item: load_labelled_picture(item, mapping), chosen):
        assert isinstance(labelled, LabelledPicture)
        counts += labelled.counts
    by_split = Counter(item.split for item in source.items)
    return name, by_split, mapping.class_map.names, 100 * counts / counts.sum()


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


def test_jpeg_masks_are_refused_not_misread(tmp_path: Path) -> None:
    folder = real_set("kvasir_5_jpegmasks") / "Kvasir-SEG"
    for part in ("images", "masks"):
        (tmp_path / part).symlink_to(folder / part)
    (tmp_path / "classes.csv").write_text("0,background\n255,polyp\n")
    _, source = read_source(tmp_path)
    mapping = map_classes(source.classes, None)
    assert len(source.items) == 5
    for item in source.items:
        finding = load_labelled_picture(item, mapping)
        assert isinstance(finding, Finding)
        assert "JPEG" in finding.reason
