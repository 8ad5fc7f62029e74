"""Datasets opened where they lie: folder and archives alike."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.files.opening import open_dataset
from atrous.datasets.files.tree import Tree, UnreadableFileError, open_folder
from atrous.datasets.formats import read_source
from atrous.datasets.labels import LabelledPicture, load_labelled_picture
from tests.datasets.archives import write_tar, write_zip
from tests.datasets.generated import GENERATORS

FILES = {f"train/{n}.png": bytes([n]) * (n * 997) for n in range(40)}
READ_ELSEWHERE = """
import pickle, sys
from pathlib import Path
files = [pickle.loads(one) for one in pickle.loads(Path(sys.argv[1]).read_bytes())]
assert len({id(file.container.open_index()) for file in files}) == 1
sys.stdout.buffer.write(pickle.dumps([file.read() for file in files]))
"""


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        return write_zip(path, files)
    return write_tar(path, files, "w:gz" if path.suffix == ".gz" else "w")


def count_open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def load_all(tree: Tree) -> dict[str, LabelledPicture]:
    _, source = read_source(tree)
    mapping = map_classes(source.classes, None)
    loaded = {item.image.name: load_labelled_picture(item, mapping) for item in source.items}
    assert all(isinstance(picture, LabelledPicture) for picture in loaded.values())
    return loaded  # type: ignore[return-value]


every_kind = pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])


@pytest.mark.parametrize("packing", ["zip", "tar", "gztar", "bztar", "xztar"])
@pytest.mark.parametrize("name", GENERATORS)
def test_every_format_is_read_from_an_archive_as_from_its_folder(name: str, packing: str, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    GENERATORS[name].write(folder)
    with open_dataset(Path(shutil.make_archive(str(tmp_path / "packed"), packing, folder))) as tree:
        (found, source), (_, expected) = read_source(tree), read_source(open_folder(folder))
        assert found == name
        assert source.classes == expected.classes
        assert source.findings == expected.findings == ()
        assert [(one.image.name, one.split) for one in source.items] == [
            (one.image.name, one.split) for one in expected.items
        ]
        assert [one.label.digest() for one in source.items] == [one.label.digest() for one in expected.items]
        loaded, wanted = load_all(tree), load_all(open_folder(folder))
    assert loaded.keys() == wanted.keys()
    for key, picture in wanted.items():
        np.testing.assert_array_equal(loaded[key].mask_HW, picture.mask_HW)


def test_folder_is_opened_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with open_dataset(tmp_path) as tree:
        assert tree.file("a.png").read() == b"x"


@every_kind
def test_content_tells_what_it_is_not_the_name(name: str, tmp_path: Path) -> None:
    path = write_archive(tmp_path / name, FILES).rename(tmp_path / "renamed.png")
    with open_dataset(path) as tree:
        assert tree.files("train") == sorted(FILES)


@every_kind
def test_threads_read_side_by_side(name: str, tmp_path: Path) -> None:
    with open_dataset(write_archive(tmp_path / name, FILES)) as tree, ThreadPoolExecutor(8) as pool:
        files = [tree.file(file_name) for file_name in FILES] * 20
        assert list(pool.map(lambda file: file.read(), files)) == list(FILES.values()) * 20


@every_kind
def test_files_travel_to_another_process_which_opens_the_archive_once(name: str, tmp_path: Path) -> None:
    with open_dataset(write_archive(tmp_path / name, FILES)) as tree:
        files = [tree.file(file_name) for file_name in FILES]
        assert pickle.loads(pickle.dumps(files)) == files
        (tmp_path / "files").write_bytes(pickle.dumps([pickle.dumps(file) for file in files]))
    command = [sys.executable, "-c", READ_ELSEWHERE, str(tmp_path / "files")]
    done = subprocess.run(command, capture_output=True, check=True)
    assert pickle.loads(done.stdout) == list(FILES.values())


@every_kind
def test_closing_lets_go_and_a_later_read_opens_again(name: str, tmp_path: Path) -> None:
    held = count_open_files()
    tree = open_dataset(write_archive(tmp_path / name, FILES))
    assert count_open_files() == held + 1
    tree.close()
    assert count_open_files() == held
    assert tree.file("train/7.png").read() == FILES["train/7.png"]
    tree.close()


@every_kind
def test_archive_that_changed_is_not_read_on(name: str, tmp_path: Path) -> None:
    path = write_archive(tmp_path / name, FILES)
    file = open_dataset(path).file("train/7.png")
    file.container.close()
    write_archive(path, {"train/7.png": b"other"})
    with pytest.raises(UnreadableFileError, match="has changed since it was opened"):
        file.read()
    path.unlink()
    with pytest.raises(UnreadableFileError, match="No such file"):
        file.read()


@pytest.mark.parametrize(("data", "reason"), [
    (b"Rar!\x1a\x07\x01\0", "is a RAR archive, which is not read; unpack it and give the folder"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7z archive, which is not read; unpack it and give the folder"),
    (b"\x28\xb5\x2f\xfd\0\0", "is packed by Zstandard, which is not read; unpack it and give the folder"),
    (b"\x1f\x8b\x08\0\0", "is packed by gzip, but what it holds is no tar archive"),
    (b"BZh9", "is packed by bzip2, but what it holds is no tar archive"),
    (b"\xfd7zXZ\0", "is packed by xz, but what it holds is no tar archive"),
    (b"", "is not a folder or archive"),
    (b"\x89PNG\r\n", "is not a folder or archive"),
    (bytes(100), "is not a folder or archive"),
    (bytes(10240), "is an empty archive"),
    (b"PK\5\6" + bytes(18), "is an empty archive"),
    (b"PK\3\4", "is cut off"),
])  # fmt: skip
def test_file_that_is_no_archive_to_read_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InvalidDatasetError, match=reason) as error:
        open_dataset(tmp_path / "a.zip")
    assert str(error.value).startswith(f"{tmp_path / 'a.zip'}: ")


@pytest.mark.parametrize("name", ["missing", "a\0b", "pipe", "n" * 300])
def test_path_of_nothing_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidDatasetError, match=r"is not a folder or archive|File name too long"):
        open_dataset(tmp_path / name)


def test_archive_of_unsafe_entries_alone_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"../a.png": b"x", "../b.png": b"x"})
    with pytest.raises(InvalidDatasetError, match=r"no file that can be read: \.\./a\.png: has a name that leads out"):
        open_dataset(path)
