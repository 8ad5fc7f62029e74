"""Splits as text files of names, `train.txt` and `val.txt`, beside the folders of a dataset or in splits/."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.picture_files import is_picture
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.masks.pairing import strip_ending
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from atrous.datasets.files.tree import File, Tree

FOLDERS = ("", "splits", "split", "lists", "ImageSets", "ImageSets/Segmentation")


def read_split_lists(tree: Tree, pictures: Iterable[str]) -> tuple[dict[str, Split], list[str]]:
    """The splits of those pictures that a list names, and notes.

    A line is a picture's path, its name with or without suffix and ending, or that and the mask's path.

    Raises:
        InvalidDatasetError: naming the line that fits several pictures, or gives one a second split.
    """
    by_stem: defaultdict[str, list[str]] = defaultdict(list)
    for name in pictures:
        stem = PurePosixPath(name).stem
        for key in {stem, strip_ending(stem)}:
            by_stem[key].append(name)
    splits: dict[str, Split] = {}
    notes: list[str] = []
    for file, split in _find_lists(tree):
        unknown = 0
        for where, line in _read_lines(file):
            picture = _find_picture(where, line, by_stem)
            unknown += picture is None
            if picture and splits.setdefault(picture, split) is not split:
                raise InvalidDatasetError(f"{where}: {picture} is in {splits[picture]} already; keep one of the lines")
        notes.append(
            f"{file.name} gives the split {split}"
            + (f"; {unknown} of its lines are no picture here" if unknown else "")
        )
    return splits, notes


def _find_lists(tree: Tree) -> list[tuple[File, Split]]:
    return [
        (tree.file(name), SPLIT_NAMES[stem])
        for folder in FOLDERS
        for name in tree.files(folder)
        if name.endswith(".txt") and (stem := PurePosixPath(name).stem.lower()) in SPLIT_NAMES
    ]


def _read_lines(file: File) -> Iterator[tuple[str, str]]:
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDatasetError(f"{file.place}: is not UTF-8 text; save it in UTF-8") from error
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; check that it may be read") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"{file.place}: line {number}", line.strip()


def _find_picture(where: str, line: str, by_stem: dict[str, list[str]]) -> str | None:
    for said in (line, line.split(maxsplit=1)[0]):
        path = PurePosixPath(said.replace("\\", "/"))
        path = path.with_suffix("") if is_picture(said) else path
        found = by_stem.get(path.name, [])
        if len(found) > 1:
            likeness = {name: _count_same(path, PurePosixPath(name).with_suffix("")) for name in found}
            found = [name for name in found if likeness[name] == max(likeness.values())]
        if len(found) > 1:
            raise InvalidDatasetError(
                f"{where}: {said!r} could be {found[0]} or {found[1]}; write the folder before it"
            )
        if found:
            return found[0]
    return None


def _count_same(a: PurePosixPath, b: PurePosixPath) -> int:
    """Parts of two paths that are the same, counted from their ends."""
    count = 0
    for one, other in zip(reversed(a.parts), reversed(b.parts), strict=False):
        if one != other:
            break
        count += 1
    return count
