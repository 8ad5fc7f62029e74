"""A version whose labels are what the network of colours (tests/fakes/bundles.py) answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.cli.terminal import Said

# Of the classes background, red, green and blue.
COLOURS_BGR = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)


def make_coloured_version(atrous: Callable[..., Said], folder: Path, label_HW: NDArray[np.uint8]) -> None:
    """Make road/1, for networks of 64x64, with one picture in train and one in valid."""
    # Files of one content would be one picture.
    for split, brightest in (("train", 255), ("valid", 250)):
        (folder / split).mkdir(parents=True)
        cv2.imwrite(str(folder / split / "a.png"), np.minimum(COLOURS_BGR[label_HW], brightest))
        cv2.imwrite(str(folder / split / "a_mask.png"), label_HW)
        (folder / split / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, red\n2, green\n3, blue")
    assert atrous("import", folder, "--project", "road").code == 0
    assert atrous("version", "create", "road", "--resize", "64x64").code == 0
