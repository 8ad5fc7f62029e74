"""Pictures are decoded once, by whichever process needs them first, and nothing of that is left behind."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import SIZE  # noqa: E402
from tests.training.runs import Recorder, make_config  # noqa: E402

from atrous.datasets.splits import Split  # noqa: E402
from atrous.training import decoded  # noqa: E402
from atrous.training.batches import BatchLoader, FittedSamples  # noqa: E402
from atrous.training.decoded import DecodedPictures, open_decoded  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402
from atrous.training.ranks import Ranks  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

ALONE = Ranks()
PIXELS = SIZE.pixels


def draw_pixels(seed: int):
    pixels_HW4 = np.random.default_rng(seed).integers(0, 256, (SIZE.height, SIZE.width, 4), np.uint8)
    return pixels_HW4[:, :, :3].copy(), pixels_HW4[:, :, 3].copy()


def test_what_was_kept_is_found_and_may_be_changed(tmp_path: Path) -> None:
    pictures = open_decoded(tmp_path, 3, SIZE, ALONE)
    assert pictures is not None
    image_HWC, mask_HW = draw_pixels(1)
    pictures.keep(1, image_HWC, mask_HW)
    assert pictures.find(0) is pictures.find(2) is None
    for _ in range(2):
        found = pictures.find(1)
        assert found is not None
        np.testing.assert_array_equal(found[0], image_HWC)
        np.testing.assert_array_equal(found[1], mask_HW)
        found[0][:], found[1][:] = 0, 0


def test_the_file_is_nowhere_to_be_found(tmp_path: Path) -> None:
    (tmp_path / decoded.FILE).write_bytes(b"of a training that was killed")
    pictures = open_decoded(tmp_path, 3, SIZE, ALONE)
    assert pictures is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", ["MEMORY_SHARE", "DISK_SHARE"])
def test_what_does_not_fit_is_decoded_anew_and_that_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, share: str
) -> None:
    fits = run_training(make_config(tmp_path / "fits", epochs=1))
    assert not caplog.records
    monkeypatch.setattr(decoded, share, 0.0)
    without = run_training(make_config(tmp_path / "without", epochs=1))
    assert [record.message for record in caplog.records] == ["pictures are decoded anew in each epoch"]
    assert without.weights_sha256 == fits.weights_sha256


def test_a_disk_that_is_full_later_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = open_decoded(tmp_path, 2, SIZE, ALONE)
    assert pictures is not None

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        for _ in range(2):
            pictures.keep(0, *draw_pixels(0))
    assert pictures.find(0) is None
    assert len(caplog.records) == 1


def test_worker_processes_find_what_others_decoded(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    train = [sample for sample in config.samples if sample.split is Split.TRAIN]
    kept = open_decoded(tmp_path, len(train), SIZE, ALONE)
    loader = BatchLoader(Fitted(FittedSamples(train, config.preprocessing, kept)), workers=2)
    order = [[index] for index in range(len(train))]
    first = list(loader.load(order, epoch=0))
    for sample in train:
        sample.image_path.unlink()
    again = list(loader.load(order[::-1], epoch=1))
    assert all(torch.equal(one[0], other[0]) for one, other in zip(first, again[::-1], strict=True))


class Fitted(torch.utils.data.Dataset):
    """Samples without augmentation."""

    def __init__(self, samples: FittedSamples) -> None:
        self._samples = samples

    def __getitem__(self, place: tuple[int, int]):
        return tuple(map(torch.from_numpy, self._samples[place[1]]))


def test_a_training_decodes_each_train_picture_once(tmp_path: Path) -> None:
    class Remover(Recorder):
        def on_epoch(self, report) -> None:
            super().on_epoch(report)
            for sample in config.samples:
                if sample.split is Split.TRAIN:
                    sample.image_path.unlink(missing_ok=True)

    config, listener = make_config(tmp_path, epochs=2), Remover()
    run_training(config, listener)
    assert len(listener.epochs) == 2


def test_a_process_that_cannot_share_decodes_for_itself(tmp_path: Path) -> None:
    pictures = open_decoded(tmp_path, 2, SIZE, ALONE)
    assert isinstance(pictures, DecodedPictures)
    maker, arguments = pictures.__reduce__()
    assert maker(*arguments) is None
