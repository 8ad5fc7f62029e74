from __future__ import annotations

import signal
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.fakes.datasets import SIZE, draw_samples  # noqa: E402
from tests.training.runs import make_config  # noqa: E402

from atrous.bundle.contrast import Contrast  # noqa: E402
from atrous.bundle.preprocessing import Fit, Preprocessing, fit_mask, normalise  # noqa: E402
from atrous.bundle.regions import StaticCrop, Tiles  # noqa: E402
from atrous.datasets.content import Stage, load_sample  # noqa: E402
from atrous.training.batches import (  # noqa: E402
    AugmentedSamples,
    BatchLoader,
    FittedSamples,
    epoch_order,
    sample_seed,
)
from atrous.training.feed import Feed  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_SEED = 2**32 - 1


def load(folder: Path, *, workers: int = 0, epoch: int = 0, **changes):
    config = make_config(folder, **changes)
    fitted = FittedSamples(config.samples, config.preprocessing)
    samples = AugmentedSamples(fitted, config.preprocessing, config.recipe)
    order = epoch_order(config.recipe.seed, epoch, len(fitted), config.recipe.batch_size)
    return list(BatchLoader(samples, workers=workers).load(order, epoch=epoch))


def are_equal(ours, theirs) -> bool:
    return all(torch.equal(one, other) for one, other in zip(chain(*ours), chain(*theirs), strict=True))


@pytest.mark.parametrize(("count", "batch_size"), [(1, 8), (5, 2), (6, 2), (7, 7), (9, 4)])
def test_an_epoch_takes_each_picture_once_and_drops_none(count: int, batch_size: int) -> None:
    order = epoch_order(3, 1, count, batch_size)
    assert sorted(chain(*order)) == list(range(count))
    assert all(len(batch) == batch_size for batch in order[:-1])


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert epoch_order(1, 2, 50, 4) == epoch_order(1, 2, 50, 4)
    assert epoch_order(1, 2, 50, 4) != epoch_order(1, 3, 50, 4)
    assert epoch_order(1, 2, 50, 4) != epoch_order(2, 2, 50, 4)


def test_each_picture_of_each_epoch_has_a_seed_of_its_own_that_torch_accepts() -> None:
    seeds = [sample_seed(seed, epoch, i) for seed in (0, 1, LARGEST_SEED) for epoch in range(20) for i in range(20)]
    assert len(set(seeds)) == len(seeds)
    for seed in seeds:
        torch.Generator().manual_seed(seed)


def test_batches_hold_pictures_and_ids(tmp_path: Path) -> None:
    batches = load(tmp_path, batch_size=3)
    assert [len(image_BCHW) for image_BCHW, _ in batches] == [3, 3, 1]
    for image_BCHW, mask_BHW in batches:
        assert (image_BCHW.dtype, mask_BHW.dtype) == (torch.uint8, torch.uint8)
        assert image_BCHW.shape[1:] == (3, SIZE.height, SIZE.width)
        assert set(mask_BHW.unique().tolist()) <= {0, 1, 2, 255}


def test_a_device_is_fed_what_a_server_would_feed_the_network(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    preprocessing = replace(config.preprocessing, mean_RGB=(0.4, 0.5, 0.6), std_RGB=(0.21, 0.22, 0.23))
    ((image_BCHW, mask_BHW),) = load(tmp_path, batch_size=7)
    feed = Feed(iter([(image_BCHW, mask_BHW)]), preprocessing, torch.device("cpu"))
    batch = feed.take()
    for image_CHW, input_CHW in zip(image_BCHW, batch.input_BCHW, strict=True):
        bgr_HWC = np.ascontiguousarray(image_CHW.numpy()[::-1].transpose(1, 2, 0))
        np.testing.assert_array_equal(input_CHW.numpy(), normalise(bgr_HWC, preprocessing))
    assert batch.mask_BHW.dtype == torch.int64
    assert torch.equal(batch.mask_BHW, mask_BHW.long())
    assert feed.waited_s > 0


def test_without_augmentation_a_mask_comes_as_it_is_fitted(tmp_path: Path) -> None:
    still = {"flip": False, "scale_min": 1.0, "scale_max": 1.0, "colour_jitter": 0.0}
    config = make_config(tmp_path)
    ((_, mask_BHW), *_) = load(tmp_path, batch_size=1, **still)
    ((first,), *_) = epoch_order(config.recipe.seed, 0, len(config.samples), 1)
    expected_HW = fit_mask(load_sample(config.samples[first])[1], config.preprocessing)
    np.testing.assert_array_equal(mask_BHW[0].numpy(), expected_HW)


def test_a_picture_that_is_prepared_is_not_prepared_again(tmp_path: Path) -> None:
    steps = Preprocessing(SIZE, Fit.LETTERBOX_REFLECT, crop=StaticCrop(0, 0, 50, 50), contrast=Contrast.STRETCHING)
    originals = draw_samples(tmp_path)
    for original in originals:
        image_HWC, mask_HW = load_sample(original)
        prepared = replace(original, stage=Stage.PREPARED)
        seen_HWC, seen_HW = FittedSamples([prepared], steps)[0]
        np.testing.assert_array_equal(seen_HWC, image_HWC)
        np.testing.assert_array_equal(seen_HW, mask_HW)
        assert not np.array_equal(FittedSamples([original], steps)[0][0], image_HWC)


def test_a_tile_is_not_cropped_again(tmp_path: Path) -> None:
    plain = Preprocessing(SIZE, grayscale=True)
    steps = replace(plain, crop=StaticCrop(0, 0, 50, 50), tiles=Tiles(rows=2, columns=2))
    sample = draw_samples(tmp_path)[0]
    (seen_HWC, seen_HW), (expected_HWC, expected_HW) = (
        FittedSamples([one], taken)[0] for one, taken in ((replace(sample, stage=Stage.TILE), steps), (sample, plain))
    )
    np.testing.assert_array_equal(seen_HWC, expected_HWC)
    np.testing.assert_array_equal(seen_HW, expected_HW)


def test_worker_processes_prepare_the_same_batches(tmp_path: Path) -> None:
    assert are_equal(load(tmp_path, workers=2, epoch=4), load(tmp_path, epoch=4))


class InterruptHandlers(torch.utils.data.Dataset):
    """Tells how the process that prepares it takes Ctrl-C."""

    def __getitem__(self, place: tuple[int, int]):
        return torch.tensor(place), torch.tensor(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Ctrl-C raises, also where the tests themselves run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_worker_processes_leave_ctrl_c_to_the_one_that_trains() -> None:
    ((_, is_ignored_B),) = BatchLoader(InterruptHandlers(), workers=1).load([[0, 1]], epoch=0)
    assert is_ignored_B.all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_epochs_and_seeds_change_the_batches(tmp_path: Path) -> None:
    one_each = {"batch_size": 7}
    first = load(tmp_path, **one_each)
    assert not are_equal(first, load(tmp_path, epoch=1, **one_each))
    assert not are_equal(first, load(tmp_path, seed=1, **one_each))
