"""Finding the picture that a list names, when the list does not say just where it lies."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from atrous.datasets.files.picture_files import keep_pictures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atrous.datasets.files.tree import Tree


class PictureSearch:
    """The pictures of a tree by the names that lists use for them."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def find(self, path: str, folders: Iterable[str] = ("",)) -> list[str]:
        """Pictures that a path may mean: one if it is certain, none, or several.

        The path is looked for in the folders, in their order; then at the end of all pictures' paths; then its base
        name alone.
        """
        path = path.replace("\\", "/")
        for folder in folders:
            name = posixpath.normpath(posixpath.join(folder, path))
            if self._tree.has(name):
                return [name]
        same_base = self._by_base_name.get(posixpath.basename(path), [])
        ending = "/" + posixpath.normpath(path).lstrip("./")
        return [name for name in same_base if name.endswith(ending)] or same_base

    @cached_property
    def _by_base_name(self) -> dict[str, list[str]]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name in keep_pictures(self._tree.files_below()):
            names[posixpath.basename(name)].append(name)
        return dict(names)
