"""Splits as PASCAL VOC and SBD give them: texts, train.txt and so on, that name a picture a line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.picture_files import is_picture
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.datasets.files.tree import File, Tree

# Lists that name pictures without giving them a split; `default` is CVAT's.
WITHOUT_SPLIT = frozenset({"trainval", "default", "all"})
# A picture in several lists belongs to the first: what was trained on must not be validated on.
ORDER = (Split.TRAIN, Split.VALID, Split.TEST)


@dataclass(frozen=True, slots=True)
class VocLists:
    """What the lists of a dataset say.

    Attributes:
        splits: name of a picture, without suffix and relative to the folder of pictures -> its splits, in the order
            train, valid, test; none for one that only a list without a split names.
        lists: the same name -> the files that name it.
        unused: texts whose names say no split.
    """

    splits: Mapping[str, tuple[Split, ...]]
    lists: Mapping[str, tuple[File, ...]]
    unused: tuple[File, ...] = ()

    def choose(self, key: str) -> Split | None:
        """The split of a picture."""
        splits = self.splits.get(key, ())
        return splits[0] if splits else None

    def find_conflict(self, key: str, picture: str) -> Finding | None:
        """A warning if two lists of different splits name a picture."""
        splits = self.splits.get(key, ())
        if len(splits) < 2:
            return None
        lists = " and ".join(file.base_name for file in self.lists[key] if file.stem.lower() in SPLIT_NAMES)
        reason = f"is listed in {lists}; it was put into {splits[0]} alone"
        return Finding(Kind.COPY_ACROSS_SPLITS, picture, reason, "keep it in one of the lists")


def read_voc_lists(tree: Tree, folder: str = "") -> VocLists:
    """Read the lists that lie directly in a folder.

    Raises:
        InvalidDatasetError: naming the list that cannot be read.
    """
    splits: defaultdict[str, set[Split]] = defaultdict(set)
    lists: defaultdict[str, list[File]] = defaultdict(list)
    texts = [tree.file(name) for name in tree.files(folder) if name.lower().endswith(".txt")]
    used = [file for file in texts if _names_split(file)]
    for file in used:
        split = SPLIT_NAMES.get(file.stem.lower())
        for key in _read_keys(file):
            splits[key] |= {split} if split else set()
            lists[key].append(file)
    ordered = {key: tuple(split for split in ORDER if split in found) for key, found in splits.items()}
    unused = tuple(file for file in texts if file not in used)
    return VocLists(ordered, {key: tuple(files) for key, files in lists.items()}, unused)


def _names_split(file: File) -> bool:
    return file.stem.lower() in WITHOUT_SPLIT or file.stem.lower() in SPLIT_NAMES


def _read_keys(file: File) -> list[str]:
    try:
        lines = file.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidDatasetError(f"{file.place}: is not UTF-8 text; save it in UTF-8") from error
    except UnreadableFileError as error:
        raise InvalidDatasetError(f"{file.place}: {error}; check that it may be read") from error
    keys = (_read_key(line.strip()) for line in lines)
    return list(dict.fromkeys(key for key in keys if key))


def _read_key(line: str) -> str:
    """The name of a line, with the folders inside the folder of pictures."""
    if line.startswith('"') and line.endswith('"'):
        line = line[1:-1]  # as CVAT writes names with spaces
    name = PurePosixPath(line.replace("\\", "/"))
    return (name.with_suffix("") if is_picture(line) else name).as_posix() if line else ""
