"""Folders as trees of files."""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING

import pytest

from atrous.datasets.files.tree import File, Tree, UnreadableFileError, open_folder, show_name
from atrous.datasets.findings import Kind

if TYPE_CHECKING:
    from pathlib import Path


def write_files(root: Path, *names: str) -> Tree:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return open_folder(root)


def test_files_and_folders_are_listed_in_order(tmp_path: Path) -> None:
    tree = write_files(tmp_path, "b.png", "a/2.png", "a/1.png", "a/c/3.png", "a0/4.png", "a-/5.png")
    assert tree.files() == ["b.png"]
    assert tree.folders() == ["a", "a-", "a0"]
    assert tree.files("a") == ["a/1.png", "a/2.png"]
    assert tree.folders("a") == ["a/c"]
    assert tree.files("missing") == tree.folders("missing") == tree.files_below("missing") == []


def test_files_below_a_folder_are_not_those_of_folders_named_alike(tmp_path: Path) -> None:
    tree = write_files(tmp_path, "a/1.png", "a/c/2.png", "a0/3.png", "a-/4.png", "a.png")
    assert tree.files_below("a") == ["a/1.png", "a/c/2.png"]
    assert len(tree.files_below()) == 5


def test_subtree_has_names_of_its_own_and_reads_the_same_files(tmp_path: Path) -> None:
    inside = write_files(tmp_path, "a/b/1.png", "a/2.png", "3.png").subtree("a").subtree("b")
    assert inside.files_below() == ["1.png"]
    assert inside.file("1.png").read() == b"a/b/1.png"
    assert inside.file("1.png").place == inside.place + "/1.png" == f"{tmp_path}/a/b/1.png"


@pytest.mark.parametrize("name", [".hidden.png", ".git/a.png", "a/._b.png", "__MACOSX/a.png", "a/Icon\r"])
def test_hidden_files_and_those_of_macos_are_no_part(name: str, tmp_path: Path) -> None:
    tree = write_files(tmp_path, name, "seen.png")
    assert tree.files_below() == ["seen.png"]
    assert not tree.has(name)
    assert tree.findings == ()


def test_name_with_a_newline_is_a_file_like_others(tmp_path: Path) -> None:
    tree = write_files(tmp_path, "a\nb.png")
    assert tree.file(tree.files()[0]).read() == b"a\nb.png"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes no such names")
def test_name_that_is_not_utf8_is_a_finding(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/stra\xdfe.png", os.O_CREAT))
    tree = write_files(tmp_path, "seen.png")
    assert tree.files_below() == ["seen.png"]
    assert [str(finding) for finding in tree.findings] == ["stra\\udcdfe.png: has a name that is not UTF-8; rename it"]


def test_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    write_files(tmp_path, "a/b/1.png")
    (tmp_path / "a" / "b" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    tree = open_folder(tmp_path)
    assert tree.files_below("a") == ["a/b/1.png"]
    with pytest.raises(UnreadableFileError):
        tree.file("self").read()


def test_folders_that_link_to_the_same_one_both_hold_its_files(tmp_path: Path) -> None:
    write_files(tmp_path, "all/1.png")
    for split in ("train", "valid"):
        (tmp_path / split).symlink_to(tmp_path / "all")
    assert open_folder(tmp_path).files_below() == ["all/1.png", "train/1.png", "valid/1.png"]


def test_folder_that_cannot_be_listed_is_a_finding(tmp_path: Path) -> None:
    # Deeper than a path may be long: not even root can list it.
    below = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=below)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=below)
        os.close(below)
        below = inner
    os.close(below)
    tree = write_files(tmp_path, "seen.png")
    assert tree.files_below() == ["seen.png"]
    assert [finding.kind for finding in tree.findings] == [Kind.UNREADABLE]
    assert "is a folder that cannot be listed (File name too long)" in str(tree.findings[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_folder_without_permission_is_a_finding(tmp_path: Path) -> None:
    write_files(tmp_path, "closed/1.png", "seen.png")
    (tmp_path / "closed").chmod(0)
    tree = open_folder(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert tree.files_below() == ["seen.png"]
    assert [finding.file for finding in tree.findings] == ["closed"]


@pytest.mark.parametrize("name", ["missing.png", "folder", "a\0b"])
def test_what_cannot_be_read_says_why(name: str, tmp_path: Path) -> None:
    tree = write_files(tmp_path, "folder/1.png")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        tree.file(name).read()


def test_head_is_the_first_bytes(tmp_path: Path) -> None:
    file = write_files(tmp_path, "abc.png").file("abc.png")
    assert (file.read_head(3), file.read_head(100)) == (b"abc", b"abc.png")


def test_file_is_a_value(tmp_path: Path) -> None:
    file = write_files(tmp_path, "a/abc.PNG").file("a/abc.PNG")
    assert pickle.loads(pickle.dumps(file)) == file == File(file.container, "a/abc.PNG")
    assert (file.base_name, file.stem, file.suffix) == ("abc.PNG", "abc", ".png")


def test_shown_names_fit_a_line_and_a_terminal() -> None:
    assert show_name("a\n\x1b[31mb\udcff.png") == "a\\n\\x1b[31mb\\udcff.png"
    assert show_name("straße.png") == "straße.png"
    assert len(show_name("\x1b" * 5000)) <= 203
