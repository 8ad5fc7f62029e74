"""Tar archives: read in place or from one temporary file, and hostile until proven otherwise."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.archive import Limits
from atrous.datasets.files.opening import open_dataset
from atrous.datasets.files.tree import MAX_FILE_BYTES, UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from tests.datasets.archives import MIB, add_member, write_tar

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"train/a.png": bytes(range(256)) * 40, "train/b.png": b"b" * 512, "classes.csv": b""}
PACKED = ["gz", "bz2", "xz"]
every_form = pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


def find_unsafe(path: Path, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> list[Finding]:
    """What is said about a member between good ones, which must remain readable."""
    with tarfile.open(path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        add_member(archive, "good.png", b"good")
        add_member(archive, name, data, kind)
        add_member(archive, "last.png", b"last")
    with open_dataset(path / "a.tar") as tree:
        assert {name: tree.file(name).read() for name in tree.files()} == {"good.png": b"good", "last.png": b"last"}
        return list(tree.findings)


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@every_form
def test_every_form_gives_the_bytes(form: int, tmp_path: Path) -> None:
    files = FILES | {f"{'folder/' * 20}{'n' * 90}.png": b"long", "straße.png": b"umlaut"}
    with open_dataset(write_tar(tmp_path / "a.tar", files, form=form)) as tree:
        assert {name: tree.file(name).read() for name in tree.files_below()} == files
        assert tree.file("train/a.png").read_head(300) == FILES["train/a.png"][:300]
        assert tree.findings == ()


@pytest.mark.parametrize("packing", PACKED)
def test_compressed_archive_gives_the_bytes_and_leaves_no_file(
    packing: str, tmp_path: Path, temporary_folder: Path
) -> None:
    with open_dataset(write_tar(tmp_path / "a.tar", FILES, f"w:{packing}")) as tree:
        assert {name: tree.file(name).read() for name in tree.files_below()} == FILES
        # Nameless while it is in use: the system takes it back even from a killed process.
        assert list(temporary_folder.iterdir()) == []


def test_streams_of_a_parallel_compressor_are_one_archive(tmp_path: Path) -> None:
    data = write_tar(tmp_path / "a.tar", FILES).read_bytes()
    (tmp_path / "a.tgz").write_bytes(gzip.compress(data[:1000]) + gzip.compress(data[1000:]) + bytes(100))
    with open_dataset(tmp_path / "a.tgz") as tree:
        assert tree.file("train/a.png").read() == FILES["train/a.png"]


@pytest.mark.parametrize(("name", "reason"), [
    ("/etc/passwd", "absolute"), ("C:\\a.png", "absolute"), ("../a.png", "leads out"), ("a\\..\\..\\b", "leads out"),
    ("a\n.png", "control character"), ("a/" * 3000 + "b", "4096 bytes"), ("a" * 256, "255 between"),
    ("stra\udcdfe.png", "not UTF-8"),
])  # fmt: skip
def test_unsafe_names_are_findings(name: str, reason: str, tmp_path: Path) -> None:
    [finding] = find_unsafe(tmp_path, name, b"x")
    assert finding.kind == Kind.UNSAFE_ENTRY
    assert reason in finding.reason


@pytest.mark.parametrize(("kind", "reason"), [
    (tarfile.SYMTYPE, "symbolic link"), (tarfile.LNKTYPE, "hard link"), (tarfile.CHRTYPE, "device"),
    (tarfile.BLKTYPE, "device"), (tarfile.FIFOTYPE, "device, a pipe"), (tarfile.GNUTYPE_SPARSE, "sparse"),
    (b"?", "unknown kind"),
])  # fmt: skip
def test_members_that_are_no_files_are_findings(kind: bytes, reason: str, tmp_path: Path) -> None:
    [finding] = find_unsafe(tmp_path, "a.png", kind=kind)
    assert (finding.kind, finding.file) == (Kind.UNSAFE_ENTRY, "a.png")
    assert reason in finding.reason


def test_names_in_pax_records_are_as_unsafe(tmp_path: Path) -> None:
    member = tarfile.TarInfo("harmless.png")
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        add_member(archive, "good.png")
        for name in ("../a.png", "b\0.png"):
            member.pax_headers = {"path": name}
            archive.addfile(member)
    with open_dataset(tmp_path / "a.tar") as tree:
        assert tree.files() == ["good.png"]
        assert [finding.file for finding in tree.findings] == ["../a.png", "b\\x00.png"]


def test_sizes_of_links_are_not_skipped(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link.png")
    link.type, link.linkname, link.size = tarfile.LNKTYPE, "last.png", 700
    last = write_tar(tmp_path / "a.tar", {"last.png": b"last"}).read_bytes()
    (tmp_path / "a.tar").write_bytes(link.tobuf(tarfile.GNU_FORMAT) + last)
    with open_dataset(tmp_path / "a.tar") as tree:
        assert tree.file("last.png").read() == b"last"


def test_sparse_files_of_both_kinds_are_findings(tmp_path: Path) -> None:
    old = bytearray(_make_header(b"S", 512))
    old[482] = 1  # a block with more of its map follows
    new = tarfile.TarInfo("new.png")
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "new.png"}
    last = write_tar(tmp_path / "a.tar", {"last.png": b"last"}).read_bytes()
    (tmp_path / "a.tar").write_bytes(
        _mend_checksum(old) + bytes(512) + b"\xff" * 512 + new.tobuf(tarfile.PAX_FORMAT) + last
    )
    with open_dataset(tmp_path / "a.tar") as tree:
        assert tree.files() == ["last.png"]
        assert [finding.reason for finding in tree.findings] == ["is stored as a sparse file"] * 2


def test_checksum_of_signed_bytes_is_one_too(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo("straße.png").tobuf(tarfile.USTAR_FORMAT))
    (tmp_path / "a.tar").write_bytes(_mend_checksum(header, signed=True) + bytes(1024))
    with open_dataset(tmp_path / "a.tar") as tree:
        assert tree.files() == ["straße.png"]


def test_folders_labels_and_what_macos_leaves_are_nothing(tmp_path: Path) -> None:
    assert find_unsafe(tmp_path, "a", kind=tarfile.DIRTYPE) == []
    assert find_unsafe(tmp_path, "label", kind=b"V") == []
    assert find_unsafe(tmp_path, "a/._b.png", b"x") == []


def test_last_file_of_a_name_is_taken(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, data in (("a/b", b"1"), ("./a/b", b"2"), ("a//b", b"3")):
            add_member(archive, name, data)
    with open_dataset(tmp_path / "a.tar") as tree:
        assert tree.file("a/b").read() == b"3"
        assert [(finding.kind, finding.file) for finding in tree.findings] == [(Kind.SAME_NAME, "a/b")]


def test_file_larger_than_any_picture_is_a_finding(tmp_path: Path) -> None:
    huge = tarfile.TarInfo("huge.png")
    huge.size = MAX_FILE_BYTES + 512
    with (tmp_path / "a.tar").open("wb") as file:
        good = tarfile.TarInfo("good.png").tobuf()
        file.write(good + huge.tobuf())
        file.truncate(len(good) + 512 + huge.size + 1024)  # a hole: no such file is written
    with open_dataset(tmp_path / "a.tar") as tree:
        assert tree.files() == ["good.png"]
        assert "more than 2 GiB" in tree.findings[0].reason


@pytest.mark.parametrize(("change", "reason"), [
    (lambda data: data[:2000], "is cut off"),
    (lambda data: data[:10_752] + b"\xff" * 512 + data[11_264:], "is damaged at byte 10,752"),
    (lambda data: data[:10_800], "is damaged at byte 10,752"),
    (lambda data: tarfile.TarInfo("b").tobuf() + _make_header(b"M") + data, "one part of several"),
    (lambda data: _make_header(b"x", 2 * MIB) + bytes(3 * MIB) + data, "is damaged at byte 512"),
    (lambda data: _make_header(b"x", 512) + b"9999 path=x\n".ljust(512) + data, "is damaged at byte 512"),
    (lambda data: _make_header(b"x", 10) + b"10 size=-\n".ljust(512, b"\0") + data, "is damaged at byte 1,536"),
])  # fmt: skip
def test_archive_that_cannot_be_understood_is_refused(change, reason: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", FILES)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InvalidDatasetError, match=reason) as error:
        open_dataset(path)
    assert str(error.value).startswith(f"{path}: ")


def _make_header(kind: bytes, size: int = 0) -> bytes:
    member = tarfile.TarInfo("header")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT)


def _mend_checksum(header: bytearray, signed: bool = False) -> bytes:
    header[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in header)
    header[148:156] = b"%06o\0 " % total
    return bytes(header)


def test_archive_without_end_mark_may_be_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tarfile.TarInfo("a.png").tobuf())
    with open_dataset(tmp_path / "a.tar") as tree:
        assert [finding.kind for finding in tree.findings] == [Kind.MAYBE_DAMAGED]


@pytest.mark.parametrize("packing", PACKED)
def test_compressed_archive_that_is_cut_off_is_refused(packing: str, tmp_path: Path) -> None:
    files = {f"{n}.png": bytes((n * k) & 255 for k in range(3000)) for n in range(30)}
    path = write_tar(tmp_path / "a.tar", files, f"w:{packing}")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidDatasetError, match=r"is cut off or damaged|no tar archive"):
        open_dataset(path)


def test_file_that_is_cut_off_while_it_is_open_says_why(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", FILES)
    with open_dataset(path) as tree:
        path.write_bytes(path.read_bytes()[:600])
        with pytest.raises(UnreadableFileError, match="is cut off"):
            tree.file("train/a.png").read()
        with pytest.raises(UnreadableFileError, match="is not in the archive"):
            tree.file("missing.png").read()


def write_bomb(path: Path) -> Path:
    """A tar of 10 GiB of zeros, packed into 10 MB."""
    head = tarfile.TarInfo("zeros.png")
    head.size = 10 << 30
    zeros = gzip.compress(bytes(16 * MIB))
    path.write_bytes(gzip.compress(head.tobuf(tarfile.GNU_FORMAT)) + zeros * 640)
    return path


def test_bomb_stops_at_the_limit(tmp_path: Path, temporary_folder: Path) -> None:
    path = write_bomb(tmp_path / "a.tar.gz")
    tracemalloc.start()
    with pytest.raises(InvalidDatasetError, match="unpacks to more than 32 MiB; unpack it and give the folder"):
        open_dataset(path, Limits(unpacked_bytes=32 * MIB))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB
    assert list(temporary_folder.iterdir()) == []


def test_bomb_stops_before_the_disk_is_full(tmp_path: Path, temporary_folder: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=r"needs more room than is free in .*TMPDIR"):
        open_dataset(write_bomb(tmp_path / "a.tar.gz"), Limits(spare_disk_bytes=1 << 60))


def test_too_many_headers_are_refused_even_if_they_name_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(_make_header(b"x") * 5)
    with pytest.raises(InvalidDatasetError, match="has more than 4 entries"):
        open_dataset(path, Limits(entries=4))


@every_form
@given(files=st.dictionaries(st.text("abcß1", min_size=1, max_size=120), st.binary(max_size=600), max_size=4))
@settings(max_examples=15, deadline=None)
def test_what_the_standard_library_writes_comes_back(
    form: int, files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_tar(tmp_path_factory.getbasetemp() / "drawn.tar", files, form=form)
    with suppress(InvalidDatasetError), open_dataset(path) as tree:
        assert {name: tree.file(name).read() for name in tree.files_below()} == files
        return
    assert not files


@pytest.mark.parametrize("packing", ["", *PACKED])
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_flipped_bytes_never_give_a_traceback(
    packing: str, flips: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.tar"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{packing}") as archive:  # type: ignore[call-overload]
        for name, content in FILES.items():
            add_member(archive, name, content[:40])
    data = bytearray(packed.getvalue()[:3072] if not packing else packed.getvalue())
    for place, bits in flips:
        data[place % len(data)] ^= bits
    path.write_bytes(data)
    with suppress(InvalidDatasetError), open_dataset(path) as tree:
        for name in tree.files_below():
            with suppress(UnreadableFileError):
                tree.file(name).read()
