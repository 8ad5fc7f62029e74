"""Where a network's weights start: a hub, a file, or chance when that is what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from segmentation_models_pytorch import encoders

from atrous.core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from atrous.models.architectures import SegmentationNetwork

# A file that fills less of the encoder than this was made for another one.
ENOUGH_OF_ENCODER = 0.9
TIMM = "tu-"
BATCH_COUNT = ".num_batches_tracked"
# What a name lacks in a file of a whole network, of its encoder alone, and of timm's model inside its encoder.
ENCODER_PREFIXES = ("", "encoder.", "encoder.model.")
WRAPPER_PREFIXES = ("module.", "model.", "network.")


def load_start(network: SegmentationNetwork, encoder: str, weights: str) -> None:
    """Fill a network with the weights it starts from.

    Args:
        network: filled in place.
        encoder: its encoder's name.
        weights: `none` keeps the random start; a file is a state dict of the encoder or of a whole network (its
            last layer is left out where the number of classes differs); anything else is a name that the hub knows,
            such as `imagenet`.

    Raises:
        UnavailableError: if the hub cannot be reached.
        InvalidInputError: if the hub or the file has no weights for this encoder.
    """
    if weights == "none":
        return
    path = Path(weights)
    if path.suffix or path.is_file():
        _load_file(network, path)
    else:
        network.network.encoder.load_state_dict(_download_encoder(network, encoder, weights))


def _download_encoder(network: SegmentationNetwork, encoder: str, weights: str) -> dict[str, Tensor]:
    depth = len(network.network.encoder.out_channels) - 1
    if encoder.startswith(TIMM) and weights != "imagenet":
        # They would take any name for a yes.
        raise InvalidInputError(
            f"--encoder-weights {weights}: timm's encoders know 'imagenet' alone; name a variant in the encoder, as in "
            "tu-resnet18.a1_in1k, or a file"
        )
    named = True if encoder.startswith(TIMM) else weights
    try:
        return cast("nn.Module", encoders.get_encoder(encoder, depth=depth, weights=named)).state_dict()
    except (KeyError, ValueError) as error:
        raise InvalidInputError(
            f"--encoder-weights {weights}: there are none of this name for {encoder}; name a file, or 'none' to start "
            "from random weights"
        ) from error
    except (OSError, RuntimeError) as error:
        raise UnavailableError(
            f"--encoder-weights {weights}: the hub that holds them cannot be reached ({type(error).__name__}); try "
            "again, name a file with --encoder-weights FILE, or start from random weights with --encoder-weights none"
        ) from error


def _load_file(network: SegmentationNetwork, path: Path) -> None:
    weights = read_state_dict(path)
    own = network.network.state_dict()
    named = ({prefix + name: value for name, value in weights.items()} for prefix in ENCODER_PREFIXES)
    fitting = max((_keep_fitting(own, candidate) for candidate in named), key=len)
    # Files from before torch 0.4.1 have no counts of batches, and the encoder works without them.
    encoder_names = {name for name in own if name.startswith("encoder.") and not name.endswith(BATCH_COUNT)}
    if len(encoder_names & fitting.keys()) < ENOUGH_OF_ENCODER * len(encoder_names):
        raise InvalidInputError(
            f"{path}: fits {len(encoder_names & fitting.keys())} of {len(encoder_names)} weights of this encoder; "
            "choose the --encoder that it was made for"
        )
    network.network.load_state_dict(own | fitting)


def _keep_fitting(own: dict[str, Tensor], weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a file, named as segmentation-models-pytorch names them.

    Raises:
        InvalidInputError: if there is no such file, or it holds anything but plain weights.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InvalidInputError(f"{path}: no such weights file") from error
    except Exception as error:
        raise InvalidInputError(f"{path}: not a file of plain weights that torch can load safely") from error
    weights = cast("dict[Any, Any]", content) if isinstance(content, dict) else {}
    if isinstance(weights.get("state_dict"), dict):
        weights = cast("dict[Any, Any]", weights["state_dict"])
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise InvalidInputError(f"{path}: holds no state dict; save one with torch.save(network.state_dict(), PATH)")
    return {_unwrap(str(name)): value for name, value in weights.items()}


def _unwrap(name: str) -> str:
    for prefix in WRAPPER_PREFIXES:
        name = name.removeprefix(prefix)
    return name
