from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.core.errors import InvalidInputError, UnavailableError  # noqa: E402
from atrous.models.architectures import build_network  # noqa: E402
from atrous.models.pretrained import load_start  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

PLAIN, TIMM = "mobilenet_v2", "tu-test_resnet"
HEAD = "segmentation_head.0.weight"


def make_network(encoder: str, *, seed: int, class_count: int = 3):
    torch.manual_seed(seed)
    return build_network("deeplabv3plus", encoder, class_count)


def save(folder: Path, content: object) -> str:
    path = folder / "weights.pth"
    torch.save(content, path)
    return str(path)


def has_encoder_of(network, source) -> bool:
    theirs = source.network.encoder.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in network.network.encoder.state_dict().items())


@pytest.mark.parametrize("encoder", [PLAIN, TIMM])
def test_a_start_from_none_stays_random(encoder: str) -> None:
    network = make_network(encoder, seed=1)
    load_start(network, encoder, "none")
    assert has_encoder_of(network, make_network(encoder, seed=1))


@pytest.mark.parametrize("encoder", [PLAIN, TIMM])
@pytest.mark.parametrize("prefix", ["", "encoder.", "model.", "module.encoder.", "network.encoder."])
def test_an_encoder_is_read_from_a_file_under_any_usual_name(tmp_path: Path, encoder: str, prefix: str) -> None:
    source, network = make_network(encoder, seed=1), make_network(encoder, seed=2)
    weights = {prefix + name: value for name, value in source.network.encoder.state_dict().items()}
    load_start(network, encoder, save(tmp_path, weights))
    assert has_encoder_of(network, source)


def test_weights_under_state_dict_are_read(tmp_path: Path) -> None:
    source, network = make_network(PLAIN, seed=1), make_network(PLAIN, seed=2)
    path = save(tmp_path, {"state_dict": source.network.encoder.state_dict(), "epoch": 7})
    load_start(network, PLAIN, path)
    assert has_encoder_of(network, source)


def test_a_file_of_timm_itself_is_read(tmp_path: Path) -> None:
    source, network = make_network(TIMM, seed=1), make_network(TIMM, seed=2)
    load_start(network, TIMM, save(tmp_path, source.network.encoder.model.state_dict()))
    assert has_encoder_of(network, source)


def test_a_file_without_counts_of_batches_is_read(tmp_path: Path) -> None:
    source, network = make_network(PLAIN, seed=1), make_network(PLAIN, seed=2)
    old = {name: value for name, value in source.network.encoder.state_dict().items() if "num_batches" not in name}
    load_start(network, PLAIN, save(tmp_path, old))
    assert has_encoder_of(network, source)


def test_a_whole_network_of_as_many_classes_is_taken_whole(tmp_path: Path) -> None:
    source, network = make_network(TIMM, seed=1), make_network(TIMM, seed=2)
    load_start(network, TIMM, save(tmp_path, source.network.state_dict()))
    theirs = source.network.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in network.network.state_dict().items())


def test_a_whole_network_of_other_classes_gives_all_but_its_last_layer(tmp_path: Path) -> None:
    source, network = make_network(TIMM, seed=1, class_count=5), make_network(TIMM, seed=2)
    before = network.network.state_dict()[HEAD].clone()
    load_start(network, TIMM, save(tmp_path, source.network.state_dict()))
    ours, theirs = network.network.state_dict(), source.network.state_dict()
    assert torch.equal(ours[HEAD], before)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if not name.startswith("segmentation_head."))


def test_weights_of_another_encoder_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = save(tmp_path, make_network(TIMM, seed=1).network.encoder.state_dict())
    with pytest.raises(InvalidInputError, match=r"fits 0 of .* choose the --encoder that it was made for"):
        load_start(make_network(PLAIN, seed=2), PLAIN, path)


class Command:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (str(self._folder),)


@pytest.mark.parametrize(
    "write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2))]
)
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, write) -> None:
    path, victim = tmp_path / "weights.pth", tmp_path / "made"
    write({"state_dict": Command(victim)}, path)
    with pytest.raises(InvalidInputError, match="not a file of plain weights"):
        load_start(make_network(TIMM, seed=1), TIMM, str(path))
    assert not victim.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"gone\.pth: no such weights file"):
        load_start(make_network(TIMM, seed=1), TIMM, str(tmp_path / "gone.pth"))


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_a_file_that_is_no_weights_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.pth"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"photo\.pth: not a file of plain weights"):
        load_start(make_network(TIMM, seed=1), TIMM, str(path))


def test_a_file_without_tensors_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds no state dict"):
        load_start(make_network(TIMM, seed=1), TIMM, save(tmp_path, {"epoch": 3}))


@pytest.mark.parametrize("encoder", [PLAIN, TIMM])
def test_a_name_that_the_hub_does_not_know_is_refused(encoder: str) -> None:
    with pytest.raises(InvalidInputError, match="--encoder-weights nonsense"):
        load_start(make_network(encoder, seed=1), encoder, "nonsense")


@pytest.mark.parametrize("encoder", [PLAIN, TIMM])
def test_a_hub_out_of_reach_is_said_with_two_ways_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    network = make_network(encoder, seed=1)
    with pytest.raises(UnavailableError, match=r"--encoder-weights FILE.*--encoder-weights none"):
        load_start(network, encoder, "imagenet")
    assert has_encoder_of(network, make_network(encoder, seed=1))


def test_rows_of_the_last_layer_start_from_the_classes_that_are_named(tmp_path: Path) -> None:
    source, network = make_network(TIMM, seed=1, class_count=5), make_network(TIMM, seed=2)
    before = network.network.state_dict()[HEAD].clone()
    load_start(network, TIMM, save(tmp_path, source.network.state_dict()), rows_K=(0, None, 4))
    ours, theirs = network.network.state_dict(), source.network.state_dict()
    assert torch.equal(ours[HEAD][[0, 2]], theirs[HEAD][[0, 4]])
    assert torch.equal(ours[HEAD][1], before[1])
    bias = HEAD.replace("weight", "bias")
    assert torch.equal(ours[bias][[0, 2]], theirs[bias][[0, 4]])
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if not name.startswith("segmentation_head."))


def test_as_many_classes_of_other_names_do_not_share_rows(tmp_path: Path) -> None:
    source, network = make_network(TIMM, seed=1), make_network(TIMM, seed=2)
    before = network.network.state_dict()[HEAD].clone()
    load_start(network, TIMM, save(tmp_path, source.network.state_dict()), rows_K=(0, None, None))
    assert torch.equal(network.network.state_dict()[HEAD][1:], before[1:])


def test_a_row_that_the_file_lacks_is_said(tmp_path: Path) -> None:
    path = save(tmp_path, make_network(TIMM, seed=1).network.state_dict())
    with pytest.raises(InvalidInputError, match="tells 3 classes apart, fewer than are named"):
        load_start(make_network(TIMM, seed=2), TIMM, path, rows_K=(0, 1, 3))


def test_a_safetensors_file_is_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    source, network = make_network(PLAIN, seed=1), make_network(PLAIN, seed=2)
    path = tmp_path / "weights.safetensors"
    save_file({f"model.{name}": value for name, value in source.network.state_dict().items()}, path)
    load_start(network, PLAIN, str(path))
    assert has_encoder_of(network, source)
    path.write_bytes(b"not weights")
    with pytest.raises(InvalidInputError, match="not a file of plain weights"):
        load_start(network, PLAIN, str(path))
