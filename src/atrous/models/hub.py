"""Pretrained weights from the hub: taken from the cache, or fetched once, and checked against the hub's hash."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import huggingface_hub
import timm
from segmentation_models_pytorch import encoders

from atrous.core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

TIMM = "tu-"
IMAGENET = "imagenet"
FILE = "model.safetensors"
# Its functions are typed in part alone.
_HUB: Any = huggingface_hub
# Until the hub must have said something; its own library would try for half a minute.
PATIENCE_S = 8.0
SHA256_LENGTH = 64
BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of the hub; the newest one where no revision is named."""

    repository: str
    name: str
    revision: str | None = None


def find_hub_file(encoder: str, weights: str) -> HubFile | None:
    """Where the weights of an encoder lie; None where only timm knows.

    Raises:
        InvalidInputError: if the hub has none of this name for this encoder.
    """
    if encoder.startswith(TIMM):
        return _find_timm_file(encoder, weights)
    known = cast("Any", encoders.encoders).get(encoder)
    if known is None:
        return None
    settings = known["pretrained_settings"].get(weights)
    if settings is None:
        raise _missing(encoder, weights)
    return HubFile(settings["repo_id"], FILE, settings["revision"])


def fetch_hub_file(file: HubFile, *, patience_s: float = PATIENCE_S) -> Path:
    """The file on this disk, with the hash that the hub gives it, if it gives one.

    Args:
        file: which one.
        patience_s: how long to wait for the hub's first word.

    Raises:
        UnavailableError: if it is not in the cache and the hub cannot be reached, or what came is damaged.
    """
    cached = _HUB.try_to_load_from_cache(file.repository, file.name, revision=file.revision)
    if isinstance(cached, str):
        return _verify(Path(cached))
    try:
        _hurry(lambda: _HUB.get_hf_file_metadata(_locate(file), timeout=patience_s), patience_s)
        fetched = _HUB.hf_hub_download(file.repository, file.name, revision=file.revision)
    except Exception as error:
        # Of its library, of what that speaks HTTP with, and of the system: all say that nothing came.
        raise unreachable(file.repository, error) from error
    return _verify(Path(fetched))


def unreachable(what: str, error: Exception) -> UnavailableError:
    """What a person is told where the hub gives nothing."""
    return UnavailableError(
        f"--encoder-weights: {what} cannot be fetched, as the hub that holds it cannot be reached "
        f"({type(error).__name__}); try again, name a file with --encoder-weights FILE, start from another model with "
        "--from PROJECT/VERSION, or from random weights with --encoder-weights none"
    )


def _find_timm_file(encoder: str, weights: str) -> HubFile | None:
    if weights != IMAGENET:
        # timm would take any name for a yes.
        raise InvalidInputError(
            f"--encoder-weights {weights}: timm's encoders know 'imagenet' alone; name a variant in the encoder, as in "
            "tu-resnet18.a1_in1k, or a file"
        )
    config: Any = timm.get_pretrained_cfg(encoder.removeprefix(TIMM))
    if config is None or not config.has_weights:
        raise _missing(encoder, weights)
    if not config.hf_hub_id:
        return None
    return HubFile(config.hf_hub_id, config.hf_hub_filename or FILE)


def _missing(encoder: str, weights: str) -> InvalidInputError:
    return InvalidInputError(
        f"--encoder-weights {weights}: there are none of this name for {encoder}; name a file, or 'none' to start "
        "from random weights"
    )


def _locate(file: HubFile) -> str:
    return _HUB.hf_hub_url(file.repository, file.name, revision=file.revision)


def _hurry(ask: Callable[[], object], patience_s: float) -> None:
    """Ask in a thread of its own, because no timeout ends the search for a name's address.

    Raises:
        TimeoutError: if there is no answer in time.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            ask()
        except Exception as error:  # noqa: BLE001  (raised again by who waits)
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience_s)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


def _verify(path: Path) -> Path:
    """Large files lie in the cache under their hash, as the hub told it; small ones under another kind of name."""
    told = path.resolve().name
    if len(told) == SHA256_LENGTH and _hash(path) != told:
        raise UnavailableError(
            f"{path.resolve()}: is damaged, as it has not the hash that the hub gave for it; delete it and try again"
        )
    return path


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
