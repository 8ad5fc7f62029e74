"""Where a network's weights start: a hub, a file, or chance when that is what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from segmentation_models_pytorch import encoders

from atrous.core.errors import InvalidInputError
from atrous.models.hub import TIMM, fetch_hub_file, find_hub_file, unreachable
from atrous.models.last_layer import LAST_LAYER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from atrous.models.architectures import SegmentationNetwork

# A file that fills less of the encoder than this was made for another one.
ENOUGH_OF_ENCODER = 0.9
BATCH_COUNT = ".num_batches_tracked"
STATISTICS = (".running_mean", ".running_var", BATCH_COUNT)
# What a name lacks in a file of a whole network, of its encoder alone, and of timm's model inside its encoder.
ENCODER_PREFIXES = ("", "encoder.", "encoder.model.")
SAFETENSORS = ".safetensors"
# Where trainers keep the network's weights, and what stands before its names there.
WRAPPER_KEYS = ("state_dict", "model_state_dict")
WRAPPER_PREFIXES = ("_orig_mod.", "module.", "model.", "network.", "_orig_mod.")
NETWORK_PARTS = ("encoder.", "decoder.", "segmentation_head.", *WRAPPER_PREFIXES)


def load_start(
    network: SegmentationNetwork, encoder: str, weights: str, *, rows_K: Sequence[int | None] | None = None
) -> None:
    """Fill a network with the weights it starts from.

    Args:
        network: filled in place.
        encoder: its encoder's name.
        weights: `none` keeps the random start; a file is a state dict of the encoder or of a whole network (its
            last layer is left out where the number of classes differs and no rows are given); anything else is a name
            that the hub knows, such as `imagenet`.
        rows_K: for each class of the network the row of the file's last layer that it starts from; None for a class
            that the file does not know, which starts at random.

    Raises:
        UnavailableError: if the hub cannot be reached.
        InvalidInputError: if the hub or the file has no weights for this encoder, or the file has no such rows.
    """
    if weights == "none":
        return
    path = Path(weights)
    if path.suffix or path.is_file():
        _load_file(network, path, rows_K)
    else:
        _load_encoder(network, encoder, weights)


def _load_encoder(network: SegmentationNetwork, encoder: str, weights: str) -> None:
    file = find_hub_file(encoder, weights)
    path = fetch_hub_file(file) if file else None
    own = network.network.encoder
    if path is None or encoder.startswith(TIMM):
        found = _ask_timm(encoder, len(own.out_channels) - 1)
    else:
        found = load_file(path)
    known = own.state_dict().keys()
    # Group norm has no use for what batch norm counted.
    own.load_state_dict({name: value for name, value in found.items() if name in known or not _is_statistic(name)})


def _ask_timm(encoder: str, depth: int) -> dict[str, Tensor]:
    """It knows how the names in its files differ from those of its networks."""
    try:
        return cast("nn.Module", encoders.get_encoder(encoder, depth=depth, weights=True)).state_dict()
    except Exception as error:
        raise unreachable(encoder, error) from error


def _is_statistic(name: str) -> bool:
    return name.endswith(STATISTICS)


def _load_file(network: SegmentationNetwork, path: Path, rows_K: Sequence[int | None] | None) -> None:
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
    if rows_K is not None:
        fitting |= _pick_rows(own, weights, rows_K, path)
    network.network.load_state_dict(own | fitting)


def _pick_rows(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], rows_K: Sequence[int | None], path: Path
) -> dict[str, Tensor]:
    """The last layer with each class's row of the file, where it has one; as it was where the width differs."""
    picked: dict[str, Tensor] = {}
    for name in (name for name in own if name.startswith(LAST_LAYER)):
        mine, theirs = own[name].clone(), weights.get(name)
        if theirs is not None and theirs.shape[1:] == mine.shape[1:]:
            if any(row is not None and row >= len(theirs) for row in rows_K):
                raise InvalidInputError(
                    f"{path}: tells {len(theirs)} classes apart, fewer than are named beside it; choose another file"
                )
            for index, row in enumerate(rows_K):
                if row is not None:
                    mine[index] = theirs[row]
        picked[name] = mine
    return picked


def _keep_fitting(own: dict[str, Tensor], weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a file, named as segmentation-models-pytorch names them.

    Raises:
        InvalidInputError: if there is no such file, or it holds anything but plain weights.
    """
    content = _read_content(path)
    weights = cast("dict[Any, Any]", content) if isinstance(content, dict) else {}
    for key in WRAPPER_KEYS:
        if isinstance(weights.get(key), dict):
            weights = cast("dict[Any, Any]", weights[key])
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise InvalidInputError(f"{path}: holds no state dict; save one with torch.save(network.state_dict(), PATH)")
    return _unwrap({str(name): value for name, value in weights.items()})


def _read_content(path: Path) -> Any:
    try:
        if path.suffix == SAFETENSORS:
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InvalidInputError(f"{path}: no such weights file") from error
    except Exception as error:
        raise InvalidInputError(
            f"{path}: not a file of plain weights that torch can load safely; save the network's state dict alone, "
            "with torch.save(network.state_dict(), PATH)"
        ) from error


def _unwrap(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what trainers put before a network's names, and leave out what they keep beside the network."""
    for prefix in WRAPPER_PREFIXES:
        inside = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        if any(name.startswith(NETWORK_PARTS) for name in inside) or len(inside) == len(weights):
            weights = inside
    return weights
