"""Every format out, and in again through the importers: equal pixels, classes and splits."""

from __future__ import annotations

import io
import json
import tempfile
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from atrous.core.class_map import VOID_ID, ClassMap
from atrous.core.errors import InvalidDatasetError, InvalidInputError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.exports import EXPORTS, RENAMED, TURNED, ExportReport, write_dataset
from atrous.datasets.exports.voc import UNSAYABLE_NAMES
from atrous.datasets.exports.yolo import VOID_LOST
from atrous.datasets.files.tree import open_folder
from atrous.datasets.formats import read_source
from atrous.datasets.labelled_file import LabelledFile
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from atrous.datasets.sinks import open_sink
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Iterable

IMPORTED_AS = {"png-masks": "roboflow-png", "coco": "coco", "voc": "voc", "yolo": "yolo", "yolov5": "yolo"}
CLASS_MAP = ClassMap(("background", "road", "sign"))
every_export = pytest.mark.parametrize("name", EXPORTS)


def encode(mask_HW: np.ndarray, suffix: str = ".png", *, seed: int = 0) -> bytes:
    """A picture of the mask's size."""
    image_HWC = np.random.default_rng(seed).integers(0, 256, (*mask_HW.shape, 3), dtype=np.uint8)
    return cv2.imencode(suffix, image_HWC)[1].tobytes()


def make_file(name: str, mask_HW: np.ndarray, *, split: Split = Split.TRAIN, data: bytes | None = None) -> LabelledFile:
    return LabelledFile(name, split, lambda: encode(mask_HW) if data is None else data, lambda: mask_HW)


def export(path: Path, name: str, files: list[LabelledFile], class_map: ClassMap = CLASS_MAP) -> ExportReport:
    with open_sink(path) as sink:
        return write_dataset(name, files, class_map, sink)


@dataclass
class Imported:
    class_names: tuple[str, ...]
    splits: dict[str, Split | None] = field(default_factory=dict)
    pictures: dict[str, LabelledPicture] = field(default_factory=dict)


def read_again(path: Path, name: str) -> Imported:
    """An export as the importers see it, by stem; nothing may be found wrong with it."""
    found, source = read_source(open_folder(path))
    assert found == IMPORTED_AS[name]
    assert source.findings == ()
    mapping = map_classes(source.classes, None)
    imported = Imported(mapping.class_map.names)
    for item in source.items:
        picture = load_labelled_picture(item, mapping)
        assert isinstance(picture, LabelledPicture), picture
        imported.splits[item.image.stem] = item.split
        imported.pictures[item.image.stem] = picture
    return imported


def files_in(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def parse(*rows: str) -> np.ndarray:
    return np.array([[VOID_ID if pixel == "v" else int(pixel) for pixel in row] for row in rows], np.uint8)


MASK_HW = parse("001100", "011110", "010012", "011122", "0vv000")

# Few values in few pixels: holes, islands in them, thin and touching parts, single pixels and void all come up.
sizes = st.tuples(st.integers(1, 10), st.integers(1, 10))
masks = sizes.flatmap(
    lambda size: st.one_of(
        arrays(np.uint8, size, elements=st.sampled_from([0, 1, 1, 1, 2, VOID_ID])),
        st.sampled_from([0, 1, VOID_ID]).map(lambda value: np.full(size, value, np.uint8)),
    )
)


@every_export
@given(drawn=st.lists(st.tuples(masks, st.sampled_from(Split)), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_export_comes_back_pixel_for_pixel(name: str, drawn: list[tuple[np.ndarray, Split]]) -> None:
    files = [make_file(f"{index}.png", mask_HW, split=split) for index, (mask_HW, split) in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as folder:
        report = export(Path(folder, "out"), name, files)
        imported = read_again(Path(folder, "out"), name)
    assert imported.class_names == CLASS_MAP.names
    assert imported.splits == {str(index): split for index, (_, split) in enumerate(drawn)}
    assert report.pictures == {split: sum(split is one for _, one in drawn) for split in Split}
    void_px = sum(int((mask_HW == VOID_ID).sum()) for mask_HW, _ in drawn)
    for index, (mask_HW, _) in enumerate(drawn):
        expected_HW = np.where(mask_HW == VOID_ID, 0, mask_HW) if name.startswith("yolo") else mask_HW
        np.testing.assert_array_equal(imported.pictures[str(index)].mask_HW, expected_HW)
    assert report.remarks == ({VOID_LOST: void_px} if name.startswith("yolo") and void_px else {})


@every_export
def test_large_masks_with_many_holes_come_back(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask_HW = np.zeros((700, 1013), np.uint8)
    for _ in range(300):
        x, y, radius = (int(n) for n in rng.integers((0, 0, 1), (1013, 700, 40)))
        cv2.circle(mask_HW, (x, y), radius, int(rng.integers(0, 3)), -1 if radius > 9 else 1)
    export(tmp_path / "out", name, [make_file("a.png", mask_HW)])
    np.testing.assert_array_equal(read_again(tmp_path / "out", name).pictures["a"].mask_HW, mask_HW)


@every_export
def test_pictures_come_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    data = {suffix: encode(MASK_HW, suffix) for suffix in (".jpg", ".png", ".webp", ".tif", ".bmp")}
    export(tmp_path / "out", name, [make_file(f"a{key[1:]}{key}", MASK_HW, data=one) for key, one in data.items()])
    pictures = read_again(tmp_path / "out", name).pictures
    assert {stem: picture.image for stem, picture in pictures.items()} == {
        f"a{key[1:]}": one for key, one in data.items()
    }


@every_export
def test_any_name_of_a_class_comes_back(name: str, tmp_path: Path) -> None:
    names = (
        "background",
        "a, b",
        '"quoted"',
        "it's",
        "straße 道路",
        "yes",
        "1",
        "none",
        "#x",
        "a: b",
        "a; b",
        "- c",
        "{",
    )
    mask_HW = np.arange(len(names), dtype=np.uint8).reshape(1, -1)
    export(tmp_path / "out", name, [make_file("a.png", mask_HW)], ClassMap(names))
    imported = read_again(tmp_path / "out", name)
    assert imported.class_names == names
    np.testing.assert_array_equal(imported.pictures["a"].mask_HW, mask_HW)


@every_export
def test_classes_that_no_picture_shows_come_back(name: str, tmp_path: Path) -> None:
    export(tmp_path / "out", name, [make_file("a.png", np.zeros((3, 4), np.uint8))])
    assert read_again(tmp_path / "out", name).class_names == CLASS_MAP.names


@every_export
def test_254_classes_beside_void_come_back(name: str, tmp_path: Path) -> None:
    class_map = ClassMap(("background", *(f"class {index}" for index in range(1, 255))))
    mask_HW = np.arange(255, dtype=np.uint8).reshape(5, 51)
    export(tmp_path / "out", name, [make_file("a.png", mask_HW)], class_map)
    imported = read_again(tmp_path / "out", name)
    assert imported.class_names == class_map.names
    np.testing.assert_array_equal(imported.pictures["a"].mask_HW, mask_HW)


@every_export
def test_any_safe_name_of_a_picture_is_kept(name: str, tmp_path: Path) -> None:
    stems = {"a b", "straße 道路", "it's", "a,b;c", "a.rf.0123", "100%", "x [1]", "1e3", "true"}
    report = export(tmp_path / "out", name, [make_file(f"{stem}.png", MASK_HW) for stem in stems])
    assert set(read_again(tmp_path / "out", name).pictures) == stems
    assert RENAMED not in report.remarks


@every_export
def test_pictures_of_one_name_stay_apart(name: str, tmp_path: Path) -> None:
    names = ["x/a.png", "y/a.png", "A.png", "a.jpg", "a_mask.png", "y\\a.png"]
    masks_HW = [np.full((2, 3), index % 3, np.uint8) for index in range(len(names))]
    files = [
        make_file(one, mask_HW, data=encode(mask_HW, seed=index))
        for index, (one, mask_HW) in enumerate(zip(names, masks_HW, strict=True))
    ]
    report = export(tmp_path / "out", name, files)
    pictures = read_again(tmp_path / "out", name).pictures
    assert report.remarks[RENAMED] == 5
    assert len({stem.casefold() for stem in pictures}) == len(names)
    by_data = {picture.image: picture.mask_HW for picture in pictures.values()}
    for file, mask_HW in zip(files, masks_HW, strict=True):
        np.testing.assert_array_equal(by_data[file.load_image()], mask_HW)


@every_export
def test_no_name_leads_out_or_is_refused_by_a_system(name: str, tmp_path: Path) -> None:
    expected = {
        "../../etc/a.png": "a",
        "/b.png": "b",
        "C:\\x\\c.png": "c",
        "..png": "_",
        ".hidden.png": "hidden",
        "con.png": "_con",
        "Classes.png": "_Classes",
        'd"e:f?.png': "d_e_f_",
        "g\nh\0.png": "g_h_",
        "i \ud800.png": "i _",
        "j..png": "j",
        "k.JPG.png": "k_JPG",
        "\u3000l\u3000.png": "l",
        "ü" * 200 + ".png": "ü" * 100,
    }
    export(tmp_path / "out", name, [make_file(one, MASK_HW) for one in expected])
    written = {Path(one).stem for one in files_in(tmp_path / "out") if one.endswith(".png")}
    assert {stem for stem in written if not stem.endswith("_mask")} == set(expected.values())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@every_export
def test_name_without_suffix_gets_that_of_its_kind(name: str, tmp_path: Path) -> None:
    export(tmp_path / "out", name, [make_file("v1.2 photo", MASK_HW, data=encode(MASK_HW, ".jpg"))])
    assert "v1.2 photo.jpg" in {Path(one).name for one in files_in(tmp_path / "out")}


@every_export
def test_label_is_of_the_upright_picture_and_rotations_are_counted(name: str, tmp_path: Path) -> None:
    stored = Image.fromarray(np.zeros((6, 5, 3), np.uint8))  # lies on its side
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    stored.save(data, "JPEG", exif=exif)
    report = export(tmp_path / "out", name, [make_file("a.jpg", MASK_HW[:, :6], data=data.getvalue())])
    assert report.remarks[TURNED] == 1
    picture = read_again(tmp_path / "out", name).pictures["a"]
    assert picture.image == data.getvalue()
    assert picture.mask_HW.shape == MASK_HW.shape


@every_export
def test_export_into_a_zip_holds_the_same_files(name: str, tmp_path: Path) -> None:
    files = [make_file("a.png", MASK_HW), make_file("b.png", MASK_HW, split=Split.VALID)]
    export(tmp_path / "out", name, files)
    export(tmp_path / "out.zip", name, files)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        packed = {one: archive.read(one) for one in archive.namelist()}
    assert packed == {one: (tmp_path / "out" / one).read_bytes() for one in files_in(tmp_path / "out")}


@every_export
def test_faulty_pictures_are_named_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    faults = {
        "is not a picture": make_file("x/a.png", MASK_HW, data=b"nothing"),
        "the picture is 6x5, its mask 2x2": make_file("x/a.png", np.zeros((2, 2), np.uint8), data=encode(MASK_HW)),
        "has value 3, but there are 3 classes": make_file("x/a.png", MASK_HW + np.uint8(1)),
    }
    for reason, file in faults.items():
        with pytest.raises(InvalidDatasetError, match=rf"^x/a\.png: .*{reason}"):
            export(tmp_path / "out", name, [make_file("b.png", MASK_HW), file])
    with pytest.raises(InvalidDatasetError, match="no pictures"):
        export(tmp_path / "out", name, [])
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="use png-masks, coco, voc, yolo"):
        export(tmp_path / "out", "labelme", [make_file("a.png", MASK_HW)])


def measure_peak(name: str, files: Iterable[LabelledFile], path: Path) -> int:
    with open_sink(path) as sink:
        tracemalloc.start()
        write_dataset(name, files, CLASS_MAP, sink)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@every_export
def test_pictures_are_not_kept_in_memory(name: str, tmp_path: Path) -> None:
    data = encode(MASK_HW)
    files = (make_file(f"{index}.png", MASK_HW, data=data + bytes(100_000 + index)) for index in range(90))
    assert measure_peak(name, files, tmp_path / "out") < 6_000_000  # of 9 MB; at most 32 pictures are under way


def test_annotations_are_not_kept_in_memory(tmp_path: Path) -> None:
    comb_HW = np.zeros((256, 3), np.uint8)
    comb_HW[::2], comb_HW[:, 0] = 1, 1  # an outline with 512 corners, 8 kB as a list
    data = encode(comb_HW, ".jpg")
    files = (make_file(f"{index}.jpg", comb_HW, data=data) for index in range(250))
    assert measure_peak("coco", files, tmp_path / "out") < 2_000_000  # 2.5 MB if they were


# What other programs read


def test_masks_and_csv_are_as_roboflow_writes_them(tmp_path: Path) -> None:
    export(tmp_path / "out", "png-masks", [make_file("a.png", MASK_HW[:4]), make_file("b.png", MASK_HW[:4])])
    table = tmp_path / "out" / "train" / "_classes.csv"
    assert table.read_bytes() == b"Pixel Value, Class\n0, background\n1, road\n2, sign"
    assert files_in(tmp_path / "out") == [
        f"train/{name}" for name in ("_classes.csv", "a.png", "a_mask.png", "b.png", "b_mask.png")
    ]
    with Image.open(tmp_path / "out" / "train" / "a_mask.png") as mask:
        assert mask.mode == "L"
        np.testing.assert_array_equal(np.asarray(mask), MASK_HW[:4])


def test_csv_names_void_where_it_occurs_in_any_split(tmp_path: Path) -> None:
    files = [make_file("a.png", MASK_HW), make_file("b.png", MASK_HW[:4], split=Split.TEST)]
    export(tmp_path / "out", "png-masks", files)
    for split in ("train", "test"):
        assert (tmp_path / "out" / split / "_classes.csv").read_text().endswith("\n255, void")


def test_pycocotools_reads_the_export(tmp_path: Path) -> None:
    mask_HW = parse("111100", "101100", "111022", "0000v2")
    export(tmp_path / "out", "coco", [make_file("b.png", np.zeros_like(mask_HW)), make_file("a.png", mask_HW)])
    document = COCO(str(tmp_path / "out" / "train" / "_annotations.coco.json"))
    assert {one["id"]: one["name"] for one in document.loadCats(document.getCatIds())} == {1: "road", 2: "sign"}
    assert document.imgs[2] == {"id": 2, "file_name": "a.png", "height": 4, "width": 6}
    annotations = document.loadAnns(document.getAnnIds(imgIds=2))
    assert Counter((one["category_id"], one["iscrowd"]) for one in annotations) == {(1, 0): 1, (2, 0): 1, (1, 1): 1}
    for one in annotations:
        run_lengths = document.annToRLE(one)
        assert one["area"] == coco_mask.area(run_lengths)
        assert one["bbox"] == coco_mask.toBbox(run_lengths).tolist()
    assert [type(one["segmentation"]) for one in annotations] == [dict, list, dict]  # a hole, none, void


def test_coco_without_any_region_is_read_too(tmp_path: Path) -> None:
    export(tmp_path / "out", "coco", [make_file("a.png", np.zeros((3, 3), np.uint8))])
    content: Any = json.loads((tmp_path / "out" / "train" / "_annotations.coco.json").read_text())
    assert (content["annotations"], len(content["images"])) == ([], 1)


def test_voc_masks_have_the_colours_of_voc(tmp_path: Path) -> None:
    export(tmp_path / "out", "voc", [make_file("a b.png", MASK_HW)])
    with Image.open(tmp_path / "out" / "SegmentationClass" / "a b.png") as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.asarray(mask), MASK_HW)
        colours_HWC = np.asarray(mask.convert("RGB"))
    # From the development kit: aeroplane, bicycle and the border of objects.
    assert colours_HWC[0, 2].tolist() == [128, 0, 0]
    assert colours_HWC[2, 5].tolist() == [0, 128, 0]
    assert colours_HWC[4, 1].tolist() == [224, 224, 192]


def test_voc_lists_stems_and_classes(tmp_path: Path) -> None:
    files = [make_file("a b.png", MASK_HW), make_file("c.png", MASK_HW, split=Split.VALID)]
    report = export(tmp_path / "out", "voc", files)
    texts = {path.name: path.read_text() for path in (tmp_path / "out").rglob("*.txt")}
    assert texts == {
        "train.txt": "a b\n",
        "val.txt": "c\n",
        "test.txt": "",
        "class_names.txt": "background\nroad\nsign\n",
        "labelmap.txt": "# label:color_rgb:parts:actions\n"
        "background:0,0,0::\nroad:128,0,0::\nsign:0,128,0::\nvoid:224,224,192::\n",
    }
    assert report.remarks == {}


def test_names_that_a_label_map_cannot_say_are_counted(tmp_path: Path) -> None:
    class_map = ClassMap(("background", "a: b", "#c"))
    report = export(tmp_path / "out", "voc", [make_file("a.png", MASK_HW)], class_map)
    assert report.remarks == {UNSAYABLE_NAMES: 2}
    assert "labelmap.txt" not in files_in(tmp_path / "out")


def test_yolo_lines_are_shares_of_the_sides_and_classes_count_from_0(tmp_path: Path) -> None:
    export(tmp_path / "out", "yolo", [make_file("a.png", parse("0000", "0220")), make_file("b.png", parse("00"))])
    labels = tmp_path / "out" / "train" / "labels"
    corners = "0.2500000 0.5000000 0.7500000 0.5000000 0.7500000 1.0000000 0.2500000 1.0000000"
    assert (labels / "a.txt").read_text() == f"1 {corners}\n"
    assert (labels / "b.txt").read_text() == ""
    content = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert content == {"train": "train/images", "nc": 2, "names": {0: "road", 1: "sign"}}


@given(mask_HW=masks)
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_yolo_lines_rasterised_by_pycocotools_are_the_pixels(mask_HW: np.ndarray) -> None:
    height, width = mask_HW.shape
    painted_HW = np.zeros_like(mask_HW)
    for line in EXPORTS["yolo"].draw(mask_HW).decode().splitlines():
        class_id, *shares = line.split()
        points_N2 = np.array(shares, float).reshape(-1, 2) * (width, height)
        run_lengths = coco_mask.frPyObjects([points_N2.ravel().tolist()], height, width)[0]
        painted_HW[coco_mask.decode(run_lengths).astype(bool)] = int(class_id) + 1
    np.testing.assert_array_equal(painted_HW, np.where(mask_HW == VOID_ID, 0, mask_HW))


def test_report_is_plain_values(tmp_path: Path) -> None:
    report = export(tmp_path / "out", "yolo", [make_file("a.png", MASK_HW)])
    assert json.loads(json.dumps(report.as_json())) == {
        "format": "yolo",
        "pictures": {"train": 1, "valid": 0, "test": 0},
        "remarks": {VOID_LOST: 2},
    }
