"""What a recipe chooses reaches the network, the loss and the pictures of a whole training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from tests.training.runs import RECIPE, STEPS_PER_EPOCH, Recorder, Stopper, make_config  # noqa: E402

from atrous.core.errors import InvalidInputError, StoppedError  # noqa: E402
from atrous.models.architectures import build_network, read_shape  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402
from atrous.training.recipe import Recipe  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

SMALL_BATCHES: dict[str, Any] = {
    "optimiser": "sgd",
    "norm": "group",
    "auxiliary_weight": 0.4,
    "overlap_loss": "dice",
    "label_smoothing": 0.1,
    "rare_pictures": 1.0,
    "copy_paste": 0.8,
    "crop_share": 0.6,
    "balanced_crops": 0.5,
}
FINE: dict[str, Any] = {
    "output_stride": 8,
    "pyramid_rate": 4,
    "overlap_loss": "lovasz",
    "overlap_weight": 0.5,
    "hard_share": 0.3,
    "hard_below": 0.7,
}
each_choice = pytest.mark.parametrize("choices", [SMALL_BATCHES, FINE], ids=["small batches", "fine"])


@each_choice
def test_a_training_learns_and_its_weights_are_those_of_the_network_alone(
    tmp_path: Path, choices: dict[str, Any]
) -> None:
    listener = Recorder()
    config = make_config(tmp_path, epochs=4, learning_rate=5e-3, validate_every=4, **choices)
    result = run_training(config, listener)
    assert listener.epochs[-1].loss < listener.epochs[0].loss
    shape = read_shape(config.recipe.as_json())
    network = build_network(config.recipe.architecture, config.recipe.encoder, len(config.class_map), shape)
    network.network.load_state_dict(result.weights)
    assert all(torch.isfinite(value).all() for value in result.weights.values())


def test_a_training_that_goes_on_draws_the_same_pictures_and_pastes(tmp_path: Path) -> None:
    whole = run_training(make_config(tmp_path / "whole", epochs=2, **SMALL_BATCHES))
    with pytest.raises(StoppedError):
        run_training(make_config(tmp_path / "cut", epochs=2, **SMALL_BATCHES), Stopper(STEPS_PER_EPOCH - 1))
    resumed = run_training(make_config(tmp_path / "cut", epochs=2, resume=True, **SMALL_BATCHES))
    assert resumed.weights_sha256 == whole.weights_sha256


def test_a_frozen_norm_leaves_training_as_it_came(tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = build_network("deeplabv3plus", RECIPE.encoder, 3).network.encoder.state_dict()
    for name, value in start.items():
        if name.endswith("running_mean"):
            value.fill_(0.1)
    torch.save(start, tmp_path / "encoder.pt")
    changes = {"norm": "frozen", "encoder_weights": str(tmp_path / "encoder.pt"), "ema_horizon": 0.0}
    weights = run_training(make_config(tmp_path, epochs=1, learning_rate=5e-3, **changes)).weights
    kept = {name for name, value in start.items() if torch.equal(weights[f"encoder.{name}"], value)}
    assert kept == {name for name, value in start.items() if value.ndim < 2}


def test_random_statistics_cannot_be_frozen() -> None:
    with pytest.raises(InvalidInputError, match="--norm frozen: random weights have no statistics worth keeping"):
        Recipe(norm="frozen", encoder_weights="none")


@pytest.mark.parametrize(
    ("name", "value"),
    [("output_stride", 32), ("norm", "layer"), ("optimiser", "lion"), ("overlap_loss", "focal"), ("hard_share", 0.0)],
)
def test_what_cannot_be_is_refused_by_its_flag(name: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"--{name.replace('_', '-')} {value}: "):
        Recipe(**{name: value})
