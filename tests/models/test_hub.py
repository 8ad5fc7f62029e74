from __future__ import annotations

import hashlib
import socket
import time
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from safetensors.torch import save_file  # noqa: E402

from atrous.core.errors import InvalidInputError, UnavailableError  # noqa: E402
from atrous.models.architectures import build_network  # noqa: E402
from atrous.models.hub import HubFile, fetch_hub_file, find_hub_file  # noqa: E402
from atrous.models.pretrained import load_start  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

ENCODER = "mobilenet_v2"
FILE = HubFile("smp-hub/none", "model.safetensors", "0" * 40)
PATIENCE_S = 0.3


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


def plant(cache: Path, file: HubFile, weights: dict[str, torch.Tensor]) -> Path:
    """Put a file where the hub's library keeps what it fetched: under the hash that the hub told."""
    folder = cache / f"models--{file.repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / str(file.revision)
    (folder / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    fetched = cache / "fetched"
    save_file(weights, fetched)
    blob = folder / "blobs" / hashlib.sha256(fetched.read_bytes()).hexdigest()
    fetched.rename(blob)
    (snapshot / file.name).symlink_to(blob)
    return blob


def make_network(seed: int, norm: str = "batch"):
    from atrous.models.architectures import Shape

    torch.manual_seed(seed)
    return build_network("deeplabv3plus", ENCODER, 3, Shape(norm=norm))


@pytest.mark.usefixtures("silent_hub")
def test_weights_in_the_cache_need_no_hub(cache: Path) -> None:
    file = find_hub_file(ENCODER, "imagenet")
    assert file is not None
    theirs = make_network(1).network.encoder.state_dict()
    plant(cache, file, theirs)
    network, grouped = make_network(2), make_network(2, "group")
    load_start(network, ENCODER, "imagenet")
    load_start(grouped, ENCODER, "imagenet")
    assert all(torch.equal(value, theirs[name]) for name, value in network.network.encoder.state_dict().items())
    assert all(torch.equal(value, theirs[name]) for name, value in grouped.network.encoder.state_dict().items())


def test_a_file_that_has_not_the_hash_the_hub_told_is_refused(cache: Path) -> None:
    blob = plant(cache, FILE, {"weight": torch.zeros(3)})
    assert fetch_hub_file(FILE).resolve() == blob
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with pytest.raises(UnavailableError, match=rf"{blob.name}: is damaged.*delete it and try again"):
        fetch_hub_file(FILE)


@pytest.mark.usefixtures("silent_hub", "cache")
def test_a_hub_that_says_nothing_is_given_up_in_time_with_the_flags_to_use() -> None:
    began_s = time.monotonic()
    with pytest.raises(UnavailableError, match=r"--encoder-weights FILE.*--from.*--encoder-weights none"):
        fetch_hub_file(FILE, patience_s=PATIENCE_S)
    assert time.monotonic() - began_s < 10 * PATIENCE_S


@pytest.mark.usefixtures("cache")
def test_a_hub_that_refuses_connections_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(UnavailableError, match=r"smp-hub/none cannot be fetched.*--encoder-weights none"):
        fetch_hub_file(FILE)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("encoder", [ENCODER, "tu-test_resnet", "timm-mobilenetv3_small_100"])
def test_a_closed_hub_is_said_at_once_and_leaves_the_network_alone(
    monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    torch.manual_seed(0)
    network = build_network("deeplabv3plus", encoder, 3)
    before = {name: value.clone() for name, value in network.network.state_dict().items()}
    with pytest.raises(UnavailableError, match="--encoder-weights none"):
        load_start(network, encoder, "imagenet")
    assert all(torch.equal(value, before[name]) for name, value in network.network.state_dict().items())


@pytest.mark.parametrize(
    ("encoder", "weights"),
    [(ENCODER, "nonsense"), ("tu-resnet18", "nonsense"), ("resnet18", "advprop"), ("tu-no_such_network", "imagenet")],
)
def test_what_the_hub_does_not_have_is_refused_by_name(encoder: str, weights: str) -> None:
    with pytest.raises(InvalidInputError, match=f"--encoder-weights {weights}"):
        find_hub_file(encoder, weights)
