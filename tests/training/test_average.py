from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.training.average import WeightAverage  # noqa: E402


def make_layer(value: float):
    layer = torch.nn.BatchNorm1d(1)
    layer.load_state_dict({name: torch.full_like(old, value) for name, old in layer.state_dict().items()})
    return layer


def test_the_mean_moves_by_one_part_in_the_horizon() -> None:
    average = WeightAverage(make_layer(1.0), horizon_steps=4)
    # From step 26 on, (1 + step) / (10 + step) is over 3/4, so the horizon decides: 3/4 * 1 + 1/4 * 5, and once more.
    for expected in (2.0, 2.75):
        average.update(make_layer(5.0), step=30)
        state = average.network.state_dict()
        assert state["weight"].item() == pytest.approx(expected)
        assert state["running_var"].item() == pytest.approx(expected)


def test_the_mean_hardly_remembers_the_random_start() -> None:
    average = WeightAverage(make_layer(100.0), horizon_steps=1000)
    average.update(make_layer(0.0), step=0)
    assert average.network.weight.item() == pytest.approx(10.0)  # 1/10 of the start after the first step
    average.update(make_layer(0.0), step=1)
    assert average.network.weight.item() == pytest.approx(100 / 10 * 2 / 11)


def test_counts_are_copied_not_averaged() -> None:
    average = WeightAverage(make_layer(1.0), horizon_steps=10)
    average.update(make_layer(8.0), step=100)
    assert average.network.num_batches_tracked.item() == 8


@pytest.mark.parametrize("horizon_steps", [0.0, 0.5, 1.0])
def test_no_horizon_means_no_averaging(horizon_steps: float) -> None:
    average = WeightAverage(make_layer(1.0), horizon_steps=horizon_steps)
    average.update(make_layer(7.3), step=50)
    assert torch.equal(average.network.weight, make_layer(7.3).weight)


def test_the_mean_is_a_network_of_its_own_that_does_not_train() -> None:
    layer = make_layer(1.0)
    average = WeightAverage(layer, horizon_steps=10)
    with torch.no_grad():
        layer.weight.fill_(9.0)
    assert average.network.weight.item() == 1.0
    assert not average.network.training
    assert not any(weight.requires_grad for weight in average.network.parameters())
    assert layer.weight.requires_grad
