"""`--tta` of `atrous evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tests.cli.terminal import publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.terminal import Said

# Bands of the classes background, red, green and blue, as tests/fakes/bundles.py answers them.
LABEL_HW = np.repeat(np.arange(4, dtype=np.uint8), 16)[:, None].repeat(64, axis=1)
COLOURS_BGR = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)
TOLD = "as it is and mirrored, at scale 0.75 and 1 and 1.25"


def test_a_report_tells_that_each_picture_was_seen_more_than_once(
    atrous: Callable[..., Said], home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    # Files of one content would be one picture.
    for split, brightest in (("train", 255), ("valid", 250)):
        (folder / split).mkdir(parents=True)
        cv2.imwrite(str(folder / split / "a.png"), np.minimum(COLOURS_BGR[LABEL_HW], brightest))
        cv2.imwrite(str(folder / split / "a_mask.png"), LABEL_HW)
        (folder / split / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, red\n2, green\n3, blue")
    assert atrous("import", folder, "--project", "road").code == 0
    assert atrous("version", "create", "road", "--resize", "64x64").code == 0
    publish(home)
    for flags, is_told in ((["--tta"], True), ([], False)):
        said = atrous("evaluate", "road/1", *flags, "--out", "scores")
        assert said.code == 0, said.err
        assert (f"each picture seen {TOLD}; a server sees it once" in said.out) is is_told
        assert ("Each picture seen" in Path("scores/report.html").read_text(encoding="utf-8")) is is_told
        told = json.loads(Path("scores/report.json").read_text(encoding="utf-8"))
        assert told["glances"] == (TOLD if is_told else "")
        assert told["plain"]["mean_iou"] > 0.9


def test_tiles_and_glances_do_not_go_together(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    said = atrous("evaluate", "road/1", "--tta", "--tile", "auto")
    assert said.code == 2
    assert "--tta: sees a picture whole; leave out --tile" in said.err
