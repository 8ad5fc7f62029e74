from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from atrous.core.errors import ConflictError, InvalidInputError, StorageError
from atrous.datasets.sinks import open_sink

if TYPE_CHECKING:
    from pathlib import Path

both_sinks = pytest.mark.parametrize("name", ["out", "out.zip"])


def read_files(path: Path) -> dict[str, bytes]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@both_sinks
def test_files_are_there_once_the_sink_is_closed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / name
    with open_sink(path) as sink:
        sink.write("train/ü b.jpg", b"12", b"3")
        sink.write_chunks("list.txt", iter([b"a", b"b"]))
        assert not path.exists()
    assert read_files(path) == {"train/ü b.jpg": b"123", "list.txt": b"ab"}
    assert names_in(path.parent) == [name]


@both_sinks
def test_nothing_is_left_of_an_export_that_fails(name: str, tmp_path: Path) -> None:
    def fail() -> None:
        with open_sink(tmp_path / name) as sink:
            sink.write("a.txt", b"1")
            sink.open_scratch().append(b"2")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names_in(tmp_path) == []


@both_sinks
def test_what_exists_is_not_overwritten(name: str, tmp_path: Path) -> None:
    with open_sink(tmp_path / name) as sink:
        sink.write("a.txt", b"1")
    with pytest.raises(ConflictError, match=r"out.*exists already"), open_sink(tmp_path / name):
        pass
    assert read_files(tmp_path / name) == {"a.txt": b"1"}


def test_empty_folder_may_be_exported_to(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with open_sink(tmp_path / "out") as sink:
        sink.write("a.txt", b"1")
    assert read_files(tmp_path / "out") == {"a.txt": b"1"}


@both_sinks
def test_export_under_way_is_not_disturbed(name: str, tmp_path: Path) -> None:
    with open_sink(tmp_path / name) as sink:
        with pytest.raises(ConflictError, match="is being written"), open_sink(tmp_path / name):
            pass
        sink.write("a.txt", b"1")
    assert read_files(tmp_path / name) == {"a.txt": b"1"}


@both_sinks
@pytest.mark.parametrize("bad", ["../a", "/a", "a/../../b", "a//b", "", ".", "a\\..\\b", "c:a", "a\0"])
def test_name_that_leads_out_is_refused(name: str, bad: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="leads out of the export"), open_sink(tmp_path / name) as sink:
        sink.write(bad, b"1")
    assert names_in(tmp_path) == []


@both_sinks
def test_file_is_not_written_twice(name: str, tmp_path: Path) -> None:
    with open_sink(tmp_path / name) as sink:
        sink.write("a.txt", b"1")
        with pytest.raises(ConflictError, match=r"a\.txt is written a second time"):
            sink.write("a.txt", b"2")
    assert read_files(tmp_path / name) == {"a.txt": b"1"}


def test_zip_packs_text_and_stores_pictures(tmp_path: Path) -> None:
    with open_sink(tmp_path / "out.zip") as sink:
        sink.write("a.txt", b"1" * 1000)
        sink.write("a.jpg", b"1" * 1000)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
    assert kinds == {"a.txt": zipfile.ZIP_DEFLATED, "a.jpg": zipfile.ZIP_STORED}


def test_same_content_gives_the_same_zip(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        with open_sink(tmp_path / name) as sink:
            sink.write("a.txt", b"1")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"file.*cannot be written"), open_sink(tmp_path / "file" / "out"):
        pass


@both_sinks
def test_scratch_gives_back_what_was_appended(name: str, tmp_path: Path) -> None:
    with open_sink(tmp_path / name) as sink:
        scratch = sink.open_scratch()
        scratch.append(b"a")
        scratch.append(b"b")
        sink.write_chunks("a.txt", scratch.read_chunks())
    assert read_files(tmp_path / name) == {"a.txt": b"ab"}
