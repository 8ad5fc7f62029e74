from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from torch import nn  # noqa: E402

from atrous.models.architectures import Shape, build_network  # noqa: E402
from atrous.models.group_norm import count_groups, has_batch_norm, replace_batch_norm  # noqa: E402

GROUP = Shape(norm="group", decoder_channels=16)
each_encoder = pytest.mark.parametrize("encoder", ["mobilenet_v2", "tu-test_resnet"])


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(256, 32), (128, 32), (96, 24), (64, 16), (48, 12), (24, 6), (16, 4), (8, 2), (7, 1), (3, 1)],
)
def test_groups_divide_the_channels_and_hold_four_or_more(channels: int, groups: int) -> None:
    assert count_groups(channels) == groups


def test_the_weights_of_the_norm_and_the_activation_in_it_are_kept() -> None:
    batch_norm = nn.BatchNorm2d(8)
    nn.init.uniform_(batch_norm.weight)
    nn.init.uniform_(batch_norm.bias)
    batch_norm.act = nn.ReLU()
    network = nn.Sequential(batch_norm)
    replace_batch_norm(network)
    values = torch.randn(2, 8, 5, 5)
    expected = nn.functional.group_norm(values, 2, batch_norm.weight, batch_norm.bias, batch_norm.eps).relu()
    torch.testing.assert_close(network(values), expected)


@each_encoder
def test_a_picture_is_seen_alike_whatever_else_is_in_its_batch_and_while_training(encoder: str) -> None:
    network = build_network("deeplabv3plus", encoder, 3, Shape(norm="group", decoder_channels=16, dropout=0.0))
    batch = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together, alone, later = network.train()(batch), network(batch[:1]), network.eval()(batch)
    # Float32 sums of another order.
    torch.testing.assert_close(together[:1], alone, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(together, later, rtol=1e-3, atol=1e-4)


@each_encoder
def test_the_global_pooling_still_tells_something_after_its_norm(encoder: str) -> None:
    network = build_network("deeplabv3plus", encoder, 3, GROUP).eval()
    pooling = network.network.decoder.aspp[0].convs[4]
    with torch.no_grad():
        assert pooling(torch.randn(1, pooling[1].in_channels, 4, 4)).abs().sum() > 0


@each_encoder
def test_weights_tell_which_norm_they_are_of(encoder: str) -> None:
    groups, batches = (build_network("deeplabv3", encoder, 3, shape).network.state_dict() for shape in (GROUP, Shape()))
    assert (has_batch_norm(groups), has_batch_norm(batches)) == (False, True)
    assert groups.keys() == {name for name in batches if not name.endswith(("running_mean", "running_var", "tracked"))}
