from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from atrous.core.errors import InvalidDatasetError
from atrous.core.sizes import Size
from atrous.datasets.files.tree import open_folder
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix
from atrous.datasets.formats import read_source
from atrous.datasets.masks.colour_mask import UNDECLARED_VALUE, ColourMask
from atrous.datasets.source import Hints, LabelValues, PictureShape
from tests.datasets.generated import write_jpeg

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.source import Source

RED, GREEN, GREY, NEAR_RED, FAR = 0xFF0000, 0x00FF00, 0x808080, 0xF00A08, 0x8000FF
COLOURS = ((RED, 3), (GREEN, 0), (GREY, 300))
SEEN_HW = np.array([[RED, GREEN, GREEN], [GREY, RED, RED]], np.uint32)
VALUES = [[3, 0, 0], [300, 3, 3]]


def as_rgb(colours_HW: np.ndarray) -> np.ndarray:
    return np.stack([colours_HW >> shift & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)


def load(folder: Path, *fixes: Fix, name: str = "m.png") -> LabelValues | Finding:
    return ColourMask(open_folder(folder).file(name), COLOURS).load(PictureShape(Size(2, 3)), frozenset(fixes))


def write_mask(folder: Path, *extra: int) -> None:
    """Red, green and grey, and `extra` from the second pixel on."""
    colours_HW = SEEN_HW.copy()
    colours_HW.ravel()[1 : 1 + len(extra)] = extra
    Image.fromarray(as_rgb(colours_HW)).save(folder / "m.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_become_values_however_they_are_stored(mode: str, suffix: str, tmp_path: Path) -> None:
    mask = Image.fromarray(as_rgb(SEEN_HW))
    mask = mask.quantize(8) if mode == "P" else mask.convert(mode)
    assert mask.mode == mode
    mask.save(tmp_path / f"m{suffix}")
    label = load(tmp_path, name=f"m{suffix}")
    assert isinstance(label, LabelValues), label
    assert (label.values_HW.tolist(), label.fixed, label.remarks) == (VALUES, NO_FIXES, {})


def test_masks_larger_than_a_block_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.datasets.masks.colour_mask.BLOCK_PX", 3)
    write_mask(tmp_path)
    label = load(tmp_path)
    assert isinstance(label, LabelValues)
    assert label.values_HW.tolist() == VALUES


def test_undeclared_colour_is_named_with_its_first_pixel_and_count(tmp_path: Path) -> None:
    write_mask(tmp_path, FAR, FAR)
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert (finding.kind, finding.pixel_xy, finding.value) == (Kind.UNDECLARED_VALUE, (1, 0), "#8000ff")
    assert "(2 pixels of undeclared colours)" in finding.reason
    assert finding.fix is Fix.UNDECLARED_TO_VOID


def test_colour_near_a_declared_one_names_the_nearer_remedy(tmp_path: Path) -> None:
    write_mask(tmp_path, NEAR_RED)
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.fix is Fix.NEAREST_COLOUR
    assert "within 16 levels" in finding.reason


def test_near_colours_are_taken_when_told_and_counted(tmp_path: Path) -> None:
    write_mask(tmp_path, NEAR_RED, GREEN + 16)
    label = load(tmp_path, Fix.NEAREST_COLOUR)
    assert isinstance(label, LabelValues)
    assert label.values_HW.tolist() == [[3, 3, 0], [300, 3, 3]]
    assert label.remarks == {"pixels of colours near a declared one, which were given its class": 2}
    assert label.fixed == {Fix.NEAREST_COLOUR}


def test_far_colours_stay_findings_when_near_ones_are_taken(tmp_path: Path) -> None:
    write_mask(tmp_path, NEAR_RED, FAR)
    finding = load(tmp_path, Fix.NEAREST_COLOUR)
    assert isinstance(finding, Finding)
    assert finding.value == "#8000ff"


def test_colour_as_near_to_two_classes_is_not_guessed(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 3, 3), 10, np.uint8)).save(tmp_path / "m.png")
    mask = ColourMask(open_folder(tmp_path).file("m.png"), ((0x000000, 0), (0x141414, 1)))
    assert isinstance(mask.load(PictureShape(Size(2, 3)), frozenset({Fix.NEAREST_COLOUR})), Finding)


def test_undeclared_colours_are_left_undeclared_for_void_when_told(tmp_path: Path) -> None:
    write_mask(tmp_path, FAR)
    label = load(tmp_path, Fix.UNDECLARED_TO_VOID)
    assert isinstance(label, LabelValues)
    assert label.values_HW.tolist() == [[3, UNDECLARED_VALUE, 0], [300, 3, 3]]


def test_jpeg_is_refused(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "m.png", as_rgb(SEEN_HW))
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.reason == "is a JPEG, which changes colours"


def test_16_bits_a_channel_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 3), np.uint16)).save(tmp_path / "m.png")
    finding = load(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.reason == "has 16 bits a channel"


def test_digest_knows_the_file_and_the_meaning_of_colours(tmp_path: Path) -> None:
    write_mask(tmp_path)
    file = open_folder(tmp_path).file("m.png")
    digests = {ColourMask(file, COLOURS).digest(), ColourMask(file, COLOURS[1:]).digest()}
    write_mask(tmp_path, FAR)
    assert len(digests | {ColourMask(file, COLOURS).digest()}) == 3


# Datasets


def write_dataset(folder: Path, class_list: str = "", name: str = "class_dict.csv", mode: str = "RGB") -> None:
    write_jpeg(folder / "images" / "a.jpg", np.zeros((2, 3, 3), np.uint8))
    (folder / "masks").mkdir()
    mask = Image.fromarray(as_rgb(SEEN_HW))
    (mask.quantize(8) if mode == "P" else mask).save(folder / "masks" / "a.png")
    if class_list:
        (folder / name).write_text(class_list)


def read(folder: Path, *fixes: Fix, class_list: Path | None = None) -> Source:
    name, source = read_source(open_folder(folder), hints=Hints(class_list, frozenset(fixes)))
    assert name == "colour-masks"
    return source


@pytest.mark.parametrize("mode", ["RGB", "P"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\ncar,255,0,0\nsky,0,255,0\nroad,128,128,128\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\ncar:255,0,0::\nsky:0,255,0::\nroad:128,128,128::\n"),
        ("classes.json", '{"car": "#ff0000", "sky": [0, 255, 0], "road": "#808080"}'),
    ],
)
def test_any_list_of_colours_will_do(name: str, text: str, mode: str, tmp_path: Path) -> None:
    write_dataset(tmp_path, text, name, mode)
    source = read(tmp_path)
    assert source.classes == {0: "car", 1: "sky", 2: "road"}
    label = source.items[0].label.load(PictureShape(Size(2, 3)), NO_FIXES)
    assert isinstance(label, LabelValues)
    assert label.values_HW.tolist() == [[0, 1, 1], [2, 0, 0]]


def test_colours_of_one_name_are_one_class(tmp_path: Path) -> None:
    write_dataset(tmp_path, "name,r,g,b\nvoid,255,0,0\nsky,0,255,0\nVoid,128,128,128\n")
    assert read(tmp_path).classes == {0: "void", 1: "sky"}


def test_list_of_values_and_colours_is_read_as_the_masks_are(tmp_path: Path) -> None:
    text = "value,name,r,g,b\n0,car,255,0,0\n1,sky,0,255,0\n2,road,128,128,128\n"
    for mode, expected in (("RGB", "colour-masks"), ("P", "png-masks")):
        (tmp_path / mode).mkdir()
        write_dataset(tmp_path / mode, text, mode=mode)
        assert read_source(open_folder(tmp_path / mode))[0] == expected


def test_masks_without_a_list_are_refused_with_a_list_to_write(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with pytest.raises(InvalidDatasetError) as error:
        read(tmp_path)
    assert "#ff0000 (50 %), #00ff00 (33.3 %), #808080 (16.7 %)" in str(error.value)
    (tmp_path / "class_dict.csv").write_text(str(error.value).partition("such as\n")[2])
    assert read(tmp_path).classes == {0: "class-0", 1: "class-1", 2: "class-2"}


def test_list_of_other_colours_is_refused_with_those_seen(tmp_path: Path) -> None:
    write_dataset(tmp_path, "car,#ff0001\nsky,#00ff01\nroad,#123456\n")
    with pytest.raises(InvalidDatasetError, match=r"not one of 1 masks .* they hold #ff0000 \(50 %\)"):
        read(tmp_path)
    with pytest.raises(InvalidDatasetError, match="not one of 1 masks"):
        read(tmp_path, Fix.UNDECLARED_TO_VOID)  # all would be void
    assert read(tmp_path, Fix.NEAREST_COLOUR).items


def test_list_that_lacks_a_colour_is_refused_unless_it_may_be_void(tmp_path: Path) -> None:
    write_dataset(tmp_path, "car,#ff0000\nsky,#00ff00\n")
    with pytest.raises(InvalidDatasetError, match="not one of 1 masks"):
        read(tmp_path)
    assert read(tmp_path, Fix.UNDECLARED_TO_VOID).items


def test_list_of_a_person_counts_instead(tmp_path: Path) -> None:
    write_dataset(tmp_path, "car,#ff0001\nsky,#00ff01\n")
    mine = tmp_path / "mine.json"
    mine.write_text('{"bus": "#ff0000", "sea": "#00ff00", "rock": "#808080"}')
    assert read(tmp_path, class_list=mine).classes == {0: "bus", 1: "sea", 2: "rock"}
