from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.core.errors import InvalidInputError, StorageError  # noqa: E402
from atrous.training.checkpoint import hash_weights, load_checkpoint, save_checkpoint  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", {"weights": {"a": torch.arange(3)}, "epoch": 2})
    content = load_checkpoint(tmp_path / "last.pt")
    assert content is not None
    assert content["epoch"] == 2
    assert torch.equal(content["weights"]["a"], torch.arange(3))


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "last.pt") is None


def test_a_damaged_checkpoint_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 2})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidInputError, match=r"last\.pt: damaged; remove it"):
        load_checkpoint(path)


def test_a_half_written_draft_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 2})
    path.with_suffix(".draft").write_bytes(b"half")
    assert load_checkpoint(path) == {"epoch": 2}
    save_checkpoint(path, {"epoch": 3})
    assert load_checkpoint(path) == {"epoch": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be written .*go on with --resume"):
        save_checkpoint(tmp_path / "gone" / "last.pt", {})


def test_a_hash_depends_on_names_and_values_not_on_order_or_layout() -> None:
    values = torch.arange(48.0).reshape(1, 3, 4, 4)
    state = {"a": values, "b": torch.zeros(2)}
    same = {"b": torch.zeros(2), "a": values.to(memory_format=torch.channels_last)}
    assert hash_weights(state) == hash_weights(same)
    assert hash_weights(state) != hash_weights({"a": values, "c": torch.zeros(2)})
    assert hash_weights(state) != hash_weights({"a": values + 1, "b": torch.zeros(2)})
    assert hash_weights(state) != hash_weights({"a": values.reshape(3, 1, 4, 4), "b": torch.zeros(2)})
