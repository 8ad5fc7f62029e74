"""`--tile` of `atrous infer` and `atrous evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.cli.coloured import COLOURS_BGR, make_coloured_version
from tests.cli.terminal import publish

from atrous.adapters.home import open_home
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.terminal import Said, Server

# Stripes of two pixels: at half its size, the network of the tests sees nothing but the mix of both colours.
STRIPES_HW = np.broadcast_to(np.repeat(np.tile([1, 3], 40), 2), (128, 160)).astype(np.uint8)
SEEN = {"off": False, "auto": True, "64": True, "1024": False}


@pytest.fixture
def stripes() -> Path:
    path = Path("stripes.png")
    cv2.imwrite(str(path), COLOURS_BGR[STRIPES_HW])
    return path


def is_right(path: Path) -> bool:
    mask_HW = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask_HW is not None
    assert mask_HW.shape == STRIPES_HW.shape
    return bool((mask_HW == STRIPES_HW).all())


def test_tiles_show_what_is_too_small_for_the_whole_picture(
    atrous: Callable[..., Said], home: Path, stripes: Path
) -> None:
    publish(home)
    for tile, is_seen in SEEN.items():
        assert atrous("infer", "road/1", stripes, "--tile", tile, "--out", tile).code == 0
        assert is_right(Path(tile) / "stripes_mask.png") is is_seen, tile
    assert atrous("infer", "road/1", stripes, "--out", "unsaid").code == 0
    assert not is_right(Path("unsaid/stripes_mask.png"))


def test_a_server_is_told_of_the_tiles(
    atrous: Callable[..., Said], server: Server, served_home: Path, stripes: Path
) -> None:
    key = create_key(open_home(served_home), "main", "tests")[1]
    asked = ("--api-url", server.url, "--api-key", key, "--tile-overlap", "0.5", "--out")
    for tile, is_seen in SEEN.items():
        assert atrous("infer", "road/1", stripes, "--tile", tile, *asked, tile).code == 0
        assert is_right(Path(tile) / "stripes_mask.png") is is_seen, tile


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tile", "large"], "write auto, off or the longer side of a tile"),
        (["--tile", "8"], "at least 32 pixels"),
        (["--tile-overlap", "0.5"], "give --tile auto or --tile PIXELS too"),
        (["--tile", "auto", "--smooth", "0.5"], "leave out --smooth"),
        (["--tile", "auto", "--jpeg-scale", "auto", "--only", "masks"], "leave out --jpeg-scale"),
    ],
    ids=str,
)
def test_what_cannot_be_is_a_sentence(
    atrous: Callable[..., Said], home: Path, stripes: Path, options: list[str], sentence: str
) -> None:
    publish(home)
    said = atrous("infer", "road/1", stripes, *options)
    assert said.code == 2
    assert sentence in said.error
    assert not Path("predictions").exists()


def test_a_picture_of_too_many_tiles_is_named_and_the_rest_go_on(
    atrous: Callable[..., Said], home: Path, stripes: Path
) -> None:
    publish(home)
    cv2.imwrite("vast.png", np.zeros((2400, 2400), np.uint8))
    said = atrous("infer", "road/1", "vast.png", stripes, "--tile", "32", "--out", "masks")
    assert said.code == 2
    assert said.error.startswith("vast.png: ")
    assert "4096 are the limit" in said.error
    assert is_right(Path("masks/stripes_mask.png"))


def test_scores_are_of_what_would_be_served_in_tiles_and_the_report_says_so(
    atrous: Callable[..., Said], home: Path, tmp_path: Path
) -> None:
    make_coloured_version(atrous, tmp_path / "dataset", STRIPES_HW)
    publish(home)
    scores = {}
    for tile in ("off", "64"):
        said = atrous("evaluate", "road/1", "--tile", tile, "--out", tile)
        assert said.code == 0, said.err
        scores[tile] = json.loads(Path(tile, "report.json").read_text(encoding="utf-8"))
        assert ("seen in tiles: 64, overlap 0.25" in said.out) is (tile == "64")
        assert ("<dt>Tiles</dt>" in Path(tile, "report.html").read_text(encoding="utf-8")) is (tile == "64")
    assert (scores["off"]["tile"], scores["off"]["tile_overlap"]) == ("off", None)
    assert (scores["64"]["tile"], scores["64"]["tile_overlap"]) == ("64", 0.25)
    assert scores["off"]["plain"]["pixel_accuracy"] < 0.7
    assert scores["64"]["plain"]["pixel_accuracy"] > 0.99
