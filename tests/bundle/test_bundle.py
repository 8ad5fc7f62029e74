from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import CLASS_NAMES, SIZE, make_bundle

from atrous.bundle.bundle import open_bundle
from atrous.bundle.layout import CLASS_NAMES as CLASS_NAMES_FILE
from atrous.bundle.layout import (
    INFERENCE_CONFIG,
    MANIFEST,
    MODEL_CONFIG,
    REQUIRED_FILES,
    WEIGHTS_INT8_ONNX,
    WEIGHTS_ONNX,
)
from atrous.bundle.manifest import FORMAT_VERSION, hash_files
from atrous.bundle.preprocessing import Fit
from atrous.core.errors import InvalidBundleError

if TYPE_CHECKING:
    from pathlib import Path

ALL_FILES = (*REQUIRED_FILES, MANIFEST)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "road-1-a", fit=Fit.LETTERBOX_WHITE)


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Replace a file together with its hash, so that only its content can be wrong."""
    (folder / name).write_bytes(data)
    change_manifest(folder, sha256=hash_files(folder))


def test_a_whole_bundle_opens_with_all_that_it_says(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert bundle.class_map.names == CLASS_NAMES
    assert bundle.preprocessing.size == SIZE
    assert bundle.preprocessing.fit is Fit.LETTERBOX_WHITE
    assert bundle.manifest.model_id == "road/1"
    assert bundle.weights_onnx == folder / WEIGHTS_ONNX


def test_stock_servers_find_their_words_in_it(folder: Path) -> None:
    assert json.loads((folder / MODEL_CONFIG).read_text(encoding="utf-8")) == {
        "model_architecture": "deep-lab-v3-plus",
        "task_type": "semantic-segmentation",
        "backend_type": "onnx",
    }
    assert (folder / CLASS_NAMES_FILE).read_text(encoding="utf-8").splitlines() == list(CLASS_NAMES)


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InvalidBundleError, match=f"{folder.name}/{name}"):
        open_bundle(folder)


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_file_with_one_altered_bit_is_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InvalidBundleError, match=f"{folder.name}/{name}: differs"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ALL_FILES)
@pytest.mark.parametrize("keep", [0, -1, -2])
def test_a_truncated_file_is_named(folder: Path, name: str, keep: int) -> None:
    data = (folder / name).read_bytes()
    if name == MANIFEST and keep == -1:
        keep = -3  # the last byte is only a new line
    (folder / name).write_bytes(data[:keep])
    with pytest.raises(InvalidBundleError, match=f"{folder.name}/{name}"):
        open_bundle(folder)


def test_a_file_that_is_a_folder_is_named(folder: Path) -> None:
    (folder / WEIGHTS_ONNX).unlink()
    (folder / WEIGHTS_ONNX).mkdir()
    with pytest.raises(InvalidBundleError, match=WEIGHTS_ONNX):
        open_bundle(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundleError, match="nothing/manifest"):
        open_bundle(tmp_path / "nothing")


def test_a_manifest_must_speak_for_every_file(folder: Path) -> None:
    hashes = hash_files(folder)
    del hashes[CLASS_NAMES_FILE]
    change_manifest(folder, sha256=hashes)
    with pytest.raises(InvalidBundleError, match=CLASS_NAMES_FILE):
        open_bundle(folder)


def test_weights_in_8_bits_are_part_of_a_bundle_that_lists_them(folder: Path) -> None:
    rewrite(folder, WEIGHTS_INT8_ONNX, b"eight bits")
    assert open_bundle(folder).weights_int8_onnx == folder / WEIGHTS_INT8_ONNX
    (folder / WEIGHTS_INT8_ONNX).write_bytes(b"eight bitz")
    with pytest.raises(InvalidBundleError, match=rf"{folder.name}/{WEIGHTS_INT8_ONNX}: differs"):
        open_bundle(folder)
    (folder / WEIGHTS_INT8_ONNX).unlink()
    with pytest.raises(InvalidBundleError, match=WEIGHTS_INT8_ONNX):
        open_bundle(folder)


def test_weights_in_8_bits_that_the_manifest_does_not_list_are_not_used(folder: Path) -> None:
    (folder / WEIGHTS_INT8_ONNX).write_bytes(b"left over")
    assert open_bundle(folder).weights_int8_onnx is None


def test_a_manifest_from_before_weights_in_8_bits_is_read(folder: Path) -> None:
    path = folder / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    content.pop("int8", None)
    path.write_text(json.dumps(content), encoding="utf-8")
    assert open_bundle(folder).manifest.int8 == {}


def test_a_newer_format_is_refused_with_both_numbers(folder: Path) -> None:
    change_manifest(folder, format_version=FORMAT_VERSION + 1)
    with pytest.raises(InvalidBundleError, match=f"format {FORMAT_VERSION + 1}.*reads {FORMAT_VERSION}"):
        open_bundle(folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "7", '{"format_version": 1}', "\xff"])
def test_a_manifest_of_another_shape_is_damaged(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content, encoding="latin-1")
    with pytest.raises(InvalidBundleError, match=MANIFEST):
        open_bundle(folder)


@pytest.mark.parametrize("hashes", [None, 5, "text"])
def test_hashes_of_another_shape_are_damage(folder: Path, hashes: Any) -> None:
    change_manifest(folder, sha256=hashes)
    with pytest.raises(InvalidBundleError, match=MANIFEST):
        open_bundle(folder)


@pytest.mark.parametrize("names", [b"", b"background", b"road\nsign", b"background\nroad\nroad", b"background\n\xff"])
def test_class_names_that_cannot_be_are_named(folder: Path, names: bytes) -> None:
    rewrite(folder, CLASS_NAMES_FILE, names)
    with pytest.raises(InvalidBundleError, match=CLASS_NAMES_FILE):
        open_bundle(folder)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_line_ends_of_class_names_do_not_matter(folder: Path, ending: bytes) -> None:
    rewrite(folder, CLASS_NAMES_FILE, ending.join(name.encode() for name in CLASS_NAMES) + ending)
    assert open_bundle(folder).class_map.names == CLASS_NAMES


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_an_inference_config_that_cannot_be_read_is_named(folder: Path, config: bytes) -> None:
    rewrite(folder, INFERENCE_CONFIG, config)
    with pytest.raises(InvalidBundleError, match=INFERENCE_CONFIG):
        open_bundle(folder)
