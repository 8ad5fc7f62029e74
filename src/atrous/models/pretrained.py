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
    try:
        return cast("nn.Module", encoders.get_encoder(encoder, depth=depth, weights=weights)).state_dict()
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
    weights = _read_state_dict(path)
    if not any(name.startswith("encoder.") for name in weights):
        weights = {f"encoder.{name}": value for name, value in weights.items()}
    own = network.network.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    encoder_names = {name for name in own if name.startswith("encoder.")}
    if len(encoder_names & fitting.keys()) < ENOUGH_OF_ENCODER * len(encoder_names):
        raise InvalidInputError(
            f"{path}: fits {len(encoder_names & fitting.keys())} of {len(encoder_names)} weights of this encoder; "
            "choose the --encoder that it was made for"
        )
    network.network.load_state_dict(own | fitting)


def _read_state_dict(path: Path) -> dict[str, Tensor]:
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
