from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

import segmentation_models_pytorch as smp  # noqa: E402
from torch.nn import functional  # noqa: E402

from atrous.core.errors import InvalidInputError  # noqa: E402
from atrous.models.architectures import ARCHITECTURES, Shape, build_network  # noqa: E402

# The default, one of timm's, and a larger family of its own.
ENCODERS = ("mobilenet_v2", "tu-test_resnet", pytest.param("efficientnet-b0", marks=pytest.mark.slow))
SMALL = "tu-test_resnet"
PLAIN = {"deeplabv3plus": smp.DeepLabV3Plus, "deeplabv3": smp.DeepLabV3}

each_network = pytest.mark.parametrize("encoder", ENCODERS)
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def make_batch(batch: int, height: int, width: int):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@each_architecture
@each_network
def test_logits_have_the_size_of_the_input_whatever_the_stride(architecture: str, encoder: str) -> None:
    network = build_network(architecture, encoder, class_count=4).eval()
    for height, width in ((48, 64), (33, 50), (17, 70)):
        with torch.inference_mode():
            assert network(make_batch(1, height, width)).shape == (1, 4, height, width)


@each_architecture
@each_network
def test_a_batch_of_one_picture_trains(architecture: str, encoder: str) -> None:
    network = build_network(architecture, encoder, class_count=3).train()
    network(make_batch(1, 33, 33)).square().mean().backward()
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)


def test_a_batch_of_one_leaves_the_statistics_behind_the_global_pooling_alone() -> None:
    network = build_network("deeplabv3plus", SMALL, class_count=3).train()
    name = "network.decoder.aspp.0.convs.4.2.running_mean"
    before = network.state_dict()[name].clone()
    network(make_batch(1, 32, 32))
    assert torch.equal(network.state_dict()[name], before)
    network(make_batch(2, 32, 32))
    assert not torch.equal(network.state_dict()[name], before)


@each_architecture
@each_network
def test_weights_load_strictly_into_the_plain_network_and_score_alike(architecture: str, encoder: str) -> None:
    network = build_network(architecture, encoder, class_count=3).eval()
    plain = PLAIN[architecture](encoder, encoder_weights=None, classes=3).eval()
    plain.load_state_dict(network.network.state_dict(), strict=True)
    plain.segmentation_head[1] = torch.nn.Identity()
    batch = make_batch(2, 32, 48)
    with torch.inference_mode():
        # Exact: where the stride divides both sides nothing is padded, and the layers are the same.
        assert torch.equal(network.score(batch), plain(batch))


@pytest.mark.parametrize("depth", [4, 5])
@pytest.mark.parametrize(("architecture", "stride_px"), [("deeplabv3plus", 4), ("deeplabv3", 8)])
def test_scores_lie_on_the_decoders_grid_where_that_covers_the_picture(
    architecture: str, stride_px: int, depth: int
) -> None:
    network = build_network(architecture, SMALL, class_count=3, shape=Shape(encoder_depth=depth)).eval()
    with torch.inference_mode():
        # 40 is padded to 48 inside deeplabv3plus, and the padding's scores are cut off.
        assert network.score(make_batch(1, 32, 40)).shape == (1, 3, 32 // stride_px, 40 // stride_px)
        for height, width in ((33, 40), (32, 42), (33, 41)):
            assert network.score(make_batch(1, height, width)).shape == (1, 3, height, width)


@each_architecture
def test_logits_are_the_scores_resized_with_half_pixel_centres(architecture: str) -> None:
    network = build_network(architecture, SMALL, class_count=3).eval()
    batch = make_batch(1, 48, 64)
    with torch.inference_mode():
        resized = functional.interpolate(network.score(batch), size=(48, 64), mode="bilinear", align_corners=False)
        torch.testing.assert_close(network(batch), resized)


def test_padding_lies_below_and_right_and_is_cut_off_again() -> None:
    network = build_network("deeplabv3plus", SMALL, class_count=3).eval()
    batch = make_batch(1, 33, 50)
    padded = torch.zeros(1, 3, 48, 64)
    padded[..., :33, :50] = batch
    with torch.inference_mode():
        assert torch.equal(network(batch), network(padded)[..., :33, :50])


def test_an_unknown_architecture_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInputError, match="'unet': choose one of deeplabv3plus, deeplabv3"):
        build_network("unet", SMALL, class_count=2)


@pytest.mark.parametrize("encoder", ["nonsense", "tu-nonsense", "vgg11", "tu-test_vit"])
def test_an_encoder_that_is_unknown_or_cannot_be_dilated_is_refused_with_a_remedy(encoder: str) -> None:
    with pytest.raises(InvalidInputError, match=f"encoder '{encoder}'.*try mobilenet_v2"):
        build_network("deeplabv3plus", encoder, class_count=2)
