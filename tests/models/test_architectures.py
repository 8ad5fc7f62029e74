from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

import segmentation_models_pytorch as smp  # noqa: E402
from torch.nn import functional  # noqa: E402

from atrous.core.errors import InvalidInputError  # noqa: E402
from atrous.models.architectures import ARCHITECTURES, Shape, TwoLogits, build_network, read_shape  # noqa: E402

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


@each_architecture
@pytest.mark.parametrize("stride", [8, 16])
def test_the_encoders_last_stage_has_the_stride_that_is_asked_for(architecture: str, stride: int) -> None:
    network = build_network(architecture, SMALL, class_count=3, shape=Shape(output_stride=stride)).eval()
    with torch.inference_mode():
        assert network.network.encoder(make_batch(1, 64, 96))[-1].shape[-2:] == (64 // stride, 96 // stride)
        assert network(make_batch(1, 50, 70)).shape == (1, 3, 50, 70)
        cell_px = 4 if architecture == "deeplabv3plus" else stride
        assert network.score(make_batch(1, 64, 96)).shape == (1, 3, 64 // cell_px, 96 // cell_px)


@each_architecture
def test_a_stride_and_a_rate_change_no_weight(architecture: str) -> None:
    weights, *others = (
        build_network(architecture, SMALL, 3, shape).network.state_dict()
        for shape in (Shape(), Shape(output_stride=8), Shape(output_stride=16), Shape(pyramid_rate=6))
    )
    for other in others:
        assert {name: value.shape for name, value in weights.items()} == {
            name: value.shape for name, value in other.items()
        }


def test_the_pyramid_has_the_rates_that_are_asked_for() -> None:
    network = build_network("deeplabv3plus", SMALL, 3, Shape(pyramid_rate=6)).network
    dilations = [convolution[0][0].dilation[0] for convolution in network.decoder.aspp[0].convs[1:4]]
    assert dilations == [6, 12, 18]


def test_a_frozen_norm_keeps_its_statistics_and_weights_and_the_decoders_does_not() -> None:
    network = build_network("deeplabv3plus", "tu-test_resnet", 3, Shape(norm="frozen"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    network(make_batch(2, 32, 32)).square().mean().backward()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.grad is not None:
                weight.sub_(0.1 * weight.grad + 0.01)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    norms = {name for name in before if name.startswith("network.encoder.") and before[name].ndim < 2}
    assert not norms & changed
    assert set(before) - norms == changed


def test_a_frozen_norm_stays_frozen_through_training_and_evaluation() -> None:
    network = build_network("deeplabv3plus", SMALL, 3, Shape(norm="frozen"))
    for mode in (True, False, True):
        network.train(mode)
        modes = {
            name.startswith("network.encoder."): module.training
            for name, module in network.named_modules()
            if isinstance(module, torch.nn.BatchNorm2d)
        }
        assert modes == {True: False, False: mode}


@each_architecture
@pytest.mark.parametrize("depth", [4, 5])
def test_a_second_head_speaks_while_training_alone_and_is_none_of_the_weights(architecture: str, depth: int) -> None:
    shape = Shape(encoder_depth=depth)
    network = build_network(architecture, SMALL, 3, shape, auxiliary=True)
    plain = build_network(architecture, SMALL, 3, shape)
    assert network.network.state_dict().keys() == plain.network.state_dict().keys()
    both = network.train()(make_batch(2, 33, 50))
    assert isinstance(both, TwoLogits)
    assert both.logits_BKHW.shape == both.auxiliary_BKHW.shape == (2, 3, 33, 50)
    both.auxiliary_BKHW.square().mean().backward()
    assert all(weight.grad is not None for weight in network.auxiliary.parameters())
    with torch.inference_mode():
        assert network.eval()(make_batch(1, 33, 50)).shape == (1, 3, 33, 50)
        assert network.score(make_batch(1, 32, 48)).shape[:2] == (1, 3)


def test_the_shape_of_an_old_recipe_is_what_it_was_then() -> None:
    assert read_shape({"encoder_depth": 4, "decoder_channels": 64, "epochs": 3}) == Shape(4, 64)
