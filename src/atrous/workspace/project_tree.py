"""Annotations that come without their pictures, joined with those that the project has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError
from atrous.datasets.files.tree import Tree, UnreadableFileError
from atrous.datasets.findings import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from atrous.datasets.files.tree import Container
    from atrous.datasets.source import Source
    from atrous.workspace.ports import Blobs
    from atrous.workspace.records import Picture

# Where formats that keep pictures and labels apart look for pictures.
FOLDER = "images"


@dataclass(frozen=True, slots=True, eq=False)
class JoinedPictures:
    """A dataset's files, and a project's pictures under the names that are missing in it."""

    dataset: Container
    blobs: Blobs
    images: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The dataset's."""
        return self.dataset.path

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of a file.

        Raises:
            UnreadableFileError: if it cannot be read.
        """
        if name not in self.images:
            return self.dataset.read(name, limit)
        try:
            return self.blobs.get(self.images[name])[:limit]
        except NotFoundError as error:
            raise UnreadableFileError(str(error)) from error

    def close(self) -> None:
        """Let go of the dataset."""
        self.dataset.close()


def join_pictures(tree: Tree, pictures: Iterable[Picture], blobs: Blobs) -> Tree:
    """Give a dataset the project's pictures, as if they lay in its images/.

    Left out are names that the dataset has a file of, and names that several of the project's pictures have.
    """
    listed = list(pictures)
    names = Counter(picture.name for picture in listed)
    present = {name.rpartition("/")[2] for name in tree.files_below()}
    images = {
        f"{FOLDER}/{picture.name}": picture.image_sha256
        for picture in listed
        if names[picture.name] == 1 and picture.name not in present
    }
    container = JoinedPictures(tree.container, blobs, images)
    return Tree(container, [*tree.files_below(), *images], findings=tree.findings, prefix=tree.prefix)


def forget_unlabelled(source: Source, tree: Tree) -> Source:
    """Drop what is said of joined pictures that the annotations are silent about: their labels stay as they are."""
    joined: Mapping[str, str] = tree.container.images if isinstance(tree.container, JoinedPictures) else {}
    findings = tuple(one for one in source.findings if one.kind is not Kind.NO_LABEL or one.file not in joined)
    return replace(source, findings=findings)
