"""`atrous version`: every step of the preprocessing has an option, and all that settings can say a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from tests.datasets.generated import write_png_masks

from atrous.adapters.home import open_home
from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import StaticCrop
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said

SIZE = Size(height=48, width=64)


@pytest.fixture
def project(atrous: Callable[..., Said], tmp_path: Path) -> str:
    write_png_masks(tmp_path / "streets")
    assert atrous("import", tmp_path / "streets", "--project", "road").code == 0
    return "road"


def test_all_options_together(atrous: Callable[..., Said], home: Path, project: str) -> None:
    options = ("--resize", "64x48", "--fit", "center-crop", "--crop", "10,20,90,100", "--grayscale")
    created = atrous("version", "create", project, *options, "--contrast", "adaptive", "--no-auto-orient")
    assert (created.code, created.out) == (0, "road/1\n")
    version = open_home(home).store.find_version("main", project, 1)
    assert version is not None
    assert version.preprocessing == Preprocessing(
        SIZE,
        Fit.CENTER_CROP,
        auto_orient=False,
        crop=StaticCrop(x_min=10, y_min=20, x_max=90, y_max=100),
        grayscale=True,
        contrast=Contrast.ADAPTIVE,
    )
    for step in ("center-crop", "crop 10,20,90,100", "grayscale", "contrast adaptive", "not turned"):
        assert step in created.err.replace("\n", " ")


@pytest.mark.parametrize("fit", list(Fit))
def test_every_fit_has_a_word(atrous: Callable[..., Said], home: Path, project: str, fit: Fit) -> None:
    assert atrous("version", "create", project, "--resize", "64x48", "--fit", fit.value).code == 0
    version = open_home(home).store.find_version("main", project, 1)
    assert version is not None
    assert version.preprocessing == Preprocessing(SIZE, fit)


@pytest.mark.parametrize(
    "options",
    [("--crop", "90,0,10,100"), ("--crop", "middle"), ("--crop", ""), ("--contrast", "gamma"), ("--fit", "fill")],
)
def test_what_cannot_be_is_refused_before_a_version_is_made(
    atrous: Callable[..., Said], home: Path, project: str, options: tuple[str, str]
) -> None:
    assert atrous("version", "create", project, *options).code == 2
    assert open_home(home).store.list_versions("main", project) == []


SETTINGS: dict[str, Any] = {
    "preprocessing": {"resize": {"width": 32, "height": 32}, "tile": {"rows": 1, "columns": 2}},
    "augmentation": {"image": {"versions": 3}, "flip": {"horizontal": True}, "bbflip": {"horizontal": True}},
}


def write(home: Path, content: Any) -> Path:
    path = home.parent / "settings.json"
    path.write_text(json.dumps(content))
    return path


def test_a_file_of_settings_makes_a_version(atrous: Callable[..., Said], home: Path, project: str) -> None:
    made = atrous("version", "create", project, "--settings", write(home, SETTINGS), "--name", "dusk")
    assert (made.code, made.out) == (0, "road/1\n")
    # Three training pictures give two tiles each, and these three outputs each; the other two are only cut.
    assert "18 train, 2 valid, 2 test" in made.err
    assert "bbflip" in made.err
    shown = json.loads(atrous("version", "show", "road/1").out)
    assert (shown["name"], shown["state"], shown["pictures"]["train"]) == ("dusk", "ready", 18)
    assert shown["settings"]["augmentation"]["flip"] == {"enabled": True, "horizontal": True, "vertical": False}
    assert "32x32, stretch, tiles 1x2, 3 outputs of flip" in made.err
    assert "ready" in atrous("version", "list", project).out


def test_what_a_version_shows_makes_the_same_one(atrous: Callable[..., Said], home: Path, project: str) -> None:
    atrous("version", "create", project, "--settings", write(home, SETTINGS))
    shown = json.loads(atrous("version", "show", "road/1").out)
    assert atrous("version", "create", project, "--settings", write(home, shown)).code == 0
    again = json.loads(atrous("version", "show", "road/2").out)
    assert again["sha256"] == shown["sha256"]


def test_previews_are_files(atrous: Callable[..., Said], home: Path, project: str) -> None:
    folder = home.parent / "look"
    said = atrous("version", "preview", project, "--settings", write(home, SETTINGS), "-o", folder, "--count", "3")
    assert said.code == 0
    assert len(said.out.splitlines()) == 3
    for number in ("01", "02", "03"):
        assert cv2.imread(str(folder / f"{number}.jpg")).shape == (32, 32, 3)
        assert cv2.imread(str(folder / f"{number}_mask.png"), cv2.IMREAD_UNCHANGED).shape == (32, 32)
    assert open_home(home).store.list_versions("main", project) == []


def test_a_diff_is_a_text_or_json(atrous: Callable[..., Said], home: Path, project: str) -> None:
    atrous("version", "create", project, "--resize", "32x32")
    atrous("version", "create", project, "--settings", write(home, SETTINGS))
    said = atrous("version", "diff", "road/1", "road/2")
    assert "pictures in both: 5" in said.out
    assert "preprocessing.tile.rows" in said.out
    content = json.loads(atrous("version", "diff", "road/1", "road/2", "--json").out)
    assert content["counts"] == {"added": 0, "removed": 0, "relabelled": 0, "moved": 0, "kept": 5}


@pytest.mark.parametrize("content", ["{", "[]", '{"preprocessing": {"sharpen": true}}'])
def test_settings_that_cannot_be_read_make_no_version(
    atrous: Callable[..., Said], home: Path, project: str, content: str
) -> None:
    path = home.parent / "settings.json"
    path.write_text(content)
    said = atrous("version", "create", project, "--settings", path)
    assert said.code == 2
    assert said.error
    assert open_home(home).store.list_versions("main", project) == []


def test_settings_stand_alone(atrous: Callable[..., Said], home: Path, project: str) -> None:
    said = atrous("version", "create", project, "--settings", write(home, SETTINGS), "--grayscale")
    assert said.code == 2
    assert "leave those out" in said.error
