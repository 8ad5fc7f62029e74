"""The label of a picture that has none and is to be background throughout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import BACKGROUND
from atrous.datasets.class_mapping import is_background
from atrous.datasets.files.picture_files import is_picture
from atrous.datasets.files.tree import File
from atrous.datasets.findings import Kind
from atrous.datasets.fixes import Fix, Fixes
from atrous.datasets.source import LabelValues, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from atrous.datasets.files.tree import Container
    from atrous.datasets.source import PictureShape

# Of 16 bits, so that no mask's value is in its way.
BLANK_VALUE = 65534


@dataclass(frozen=True, slots=True)
class BlankLabel:
    """One value everywhere; `file` is the picture itself."""

    file: File
    value: int

    def digest(self) -> bytes:
        """The same for all."""
        return f"blank {self.value}".encode()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues:  # noqa: ARG002
        """The value at the picture's size."""
        values_HW = np.full((picture.size.height, picture.size.width), self.value, np.uint16)
        return LabelValues(values_HW, fixed=frozenset({Fix.MISSING_TO_BACKGROUND}))


def label_missing(source: Source, container: Container) -> Source:
    """Give the pictures that a source found without label a blank one; their findings go."""
    missing = {one.file for one in source.findings if one.kind is Kind.NO_LABEL and is_picture(one.file)}
    if not missing:
        return source
    value = next((value for value, name in source.classes.items() if is_background(name)), BLANK_VALUE)
    files = [File(container, name) for name in missing]
    items = [SourceItem(file, _split_of(file.name), BlankLabel(file, value)) for file in files]
    return replace(
        source,
        classes=dict(sorted((source.classes | {value: source.classes.get(value, BACKGROUND)}).items())),
        items=tuple(sorted((*source.items, *items), key=lambda item: item.image.name)),
        findings=tuple(finding for finding in source.findings if finding.file not in missing),
    )


def _split_of(name: str) -> Split | None:
    """The split that a folder of the picture's path names."""
    folders = name.lower().split("/")[:-1]
    return next((SPLIT_NAMES[folder] for folder in folders if folder in SPLIT_NAMES), None)
