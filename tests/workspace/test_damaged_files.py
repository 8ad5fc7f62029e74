"""Three hundred damaged files among good ones: each is named, none is fatal, and the good ones are imported."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.datasets.generated import write_png
from tests.fakes.ports import fake_ports

from atrous.datasets.findings import Kind
from atrous.workspace.imports import import_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atrous.workspace.import_report import ImportReport

OWNER = "main"
OF_A_KIND = 30
GOOD = 20
SIDE = 48
MANY_PIXELS = 60_000
IMAGE_KINDS = {
    Kind.DAMAGED_PICTURE,
    Kind.TOO_LARGE,
    Kind.MAYBE_DAMAGED,
    Kind.WRONG_SIZE,
}
LABEL_KINDS = {Kind.DAMAGED_LABEL, Kind.TOO_LARGE, Kind.WRONG_SIZE, Kind.WRONG_KIND_OF_MASK, Kind.UNDECLARED_VALUE}


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) - 16))]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes of the pixels' data, as a bad disk or a bad transfer leaves them."""
    damaged = bytearray(data)
    start = int(rng.integers(len(data) // 3, len(data) - 40))
    for place in range(start, start + 24):
        damaged[place] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def zero_the_middle(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data) // 3, len(data) // 2))
    return data[:start] + bytes(len(data) // 4) + data[start + len(data) // 4 :]


def change_magic(data: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(4) + data[4:]


def claim_many_pixels(data: bytes, rng: np.random.Generator) -> bytes:
    """A header that says 60,000 x 60,000 over data that is far from it."""
    if data.startswith(b"\x89PNG"):
        header = b"IHDR" + struct.pack(">II", MANY_PIXELS, MANY_PIXELS) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", MANY_PIXELS, MANY_PIXELS) + data[start + 4 :]


DAMAGES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "cut": cut,
    "flip": flip,
    "zeros": zero_the_middle,
    "magic": change_magic,
    "header": claim_many_pixels,
}


def write_pairs(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "classes.csv").write_text("0,background\n1,road\n2,sign\n")
    for n in range(count):
        noise_HWC = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        suffix = ".jpg" if n % 2 else ".png"
        (folder / "images" / f"p{n:03}{suffix}").write_bytes(cv2.imencode(suffix, noise_HWC)[1].tobytes())
        write_png(folder / "masks" / f"p{n:03}.png", rng.integers(0, 3, (SIDE, SIDE), dtype=np.uint8))


def damage(folder: Path) -> dict[str, str]:
    """Damage one file in each of 300 pairs; give what was done to it, by its path in the dataset."""
    rng = np.random.default_rng(1)
    done: dict[str, str] = {}
    for n in range(2 * OF_A_KIND * len(DAMAGES)):
        name = list(DAMAGES)[n % len(DAMAGES)]
        part = "images" if n < OF_A_KIND * len(DAMAGES) else "masks"
        (path,) = (folder / part).glob(f"p{n:03}.*")
        path.write_bytes(DAMAGES[name](path.read_bytes(), rng))
        done[path.relative_to(folder).as_posix()] = name
    return done


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], ImportReport, int]:
    """What was damaged, the report, and the most memory that the import held, in bytes."""
    folder = tmp_path_factory.mktemp("damaged")
    write_pairs(folder / "data", 2 * OF_A_KIND * len(DAMAGES) + GOOD)
    damaged = damage(folder / "data")
    ports = fake_ports(folder / "home")
    ports.store.add_workspace(OWNER)
    tracemalloc.start()
    report = import_dataset(ports, OWNER, "road", folder / "data")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return damaged, report, peak_bytes


def test_every_damaged_file_is_named_but_for_jpegs_that_still_decode(
    imported: tuple[dict[str, str], ImportReport, int],
) -> None:
    damaged, report, _ = imported
    assert len(damaged) == 300
    named = {finding.file for finding in report.findings}
    unnamed = {name: how for name, how in damaged.items() if name not in named}
    # JPEG has no checksum: changed bytes may be another picture's valid code.
    assert all(name.endswith(".jpg") and how == "flip" for name, how in unnamed.items())
    assert len(unnamed) <= OF_A_KIND / 2


def test_only_damaged_files_are_named(imported: tuple[dict[str, str], ImportReport, int]) -> None:
    damaged, report, _ = imported
    assert {finding.file for finding in report.findings} <= damaged.keys()
    for finding in report.findings:
        assert finding.kind in (IMAGE_KINDS if finding.file.startswith("images/") else LABEL_KINDS)
        assert finding.remedy


def test_the_rest_is_imported(imported: tuple[dict[str, str], ImportReport, int]) -> None:
    damaged, report, _ = imported
    left_out = sum(report.left_out.values())
    assert sum(report.imported.values()) == len(damaged) + GOOD - left_out


def test_memory_does_not_follow_what_headers_claim(imported: tuple[dict[str, str], ImportReport, int]) -> None:
    _, _, peak_bytes = imported
    assert peak_bytes < 60_000_000
