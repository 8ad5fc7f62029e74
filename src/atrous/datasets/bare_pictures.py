"""Pictures of a dataset that have no label, for those who label them later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from atrous.datasets.files.picture_files import is_picture, keep_pictures
from atrous.datasets.files.tree import File
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.pairing import split_of_path
from atrous.datasets.source import Source

if TYPE_CHECKING:
    from atrous.datasets.files.tree import Tree
    from atrous.datasets.splits import Split

NO_FORMAT = "pictures"


def list_pictures(tree: Tree) -> Source:
    """All pictures of a tree, as ones whose label is missing."""
    files = [tree.file(name) for name in keep_pictures(tree.files_below())]
    missing = tuple(Finding(Kind.NO_LABEL, file.name, "has no label", "label it or remove it") for file in files)
    note = "no labels of a known format were found, so its pictures were taken without labels"
    return Source({}, (), (*tree.findings, *missing), (note,))


def part_unlabelled(source: Source, tree: Tree) -> tuple[Source, dict[File, Split | None]]:
    """A source without what it says of pictures that have no label; and these, each with the split its folder names."""
    names = {one.file for one in source.findings if one.kind is Kind.NO_LABEL and is_picture(one.file)}
    kept = tuple(one for one in source.findings if one.file not in names)
    files = {File(tree.container, name): split_of_path(name.removeprefix(tree.prefix)) for name in sorted(names)}
    return replace(source, findings=kept), files
