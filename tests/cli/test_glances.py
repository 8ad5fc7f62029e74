"""`--tta` of `atrous evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.cli.coloured import make_coloured_version
from tests.cli.terminal import publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.terminal import Said

# Bands of the classes background, red, green and blue, as tests/fakes/bundles.py answers them.
LABEL_HW = np.repeat(np.arange(4, dtype=np.uint8), 16)[:, None].repeat(64, axis=1)
TOLD = "as it is and mirrored, at scale 0.75 and 1 and 1.25"


def test_a_report_tells_that_each_picture_was_seen_more_than_once(
    atrous: Callable[..., Said], home: Path, tmp_path: Path
) -> None:
    make_coloured_version(atrous, tmp_path / "dataset", LABEL_HW)
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
