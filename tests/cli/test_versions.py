"""`atrous version create`: every step of the preprocessing has an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
