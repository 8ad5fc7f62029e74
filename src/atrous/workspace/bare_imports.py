"""One picture without a label on the way into a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.files.tree import is_text, show_name
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.picture_check import check_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.core.sizes import Size
    from atrous.datasets.files.tree import File


@dataclass(frozen=True, slots=True)
class BarePicture:
    """A picture that is good, and whose file is stored."""

    image_sha256: str
    size: Size
    look: bytes
    warnings: tuple[Finding, ...]


def prepare_bare(file: File, put: Callable[[bytes], str]) -> BarePicture | Finding:
    """Look at a picture and store it, or say why it cannot be used.

    Args:
        file: the picture.
        put: stores bytes and gives their sha256; called from several threads.

    Raises:
        StorageError: if the disk refuses.
    """
    if not is_text(file.name):
        return Finding(Kind.UNREADABLE, show_name(file.name), "has a name that is not UTF-8", "rename it")
    checked = check_picture(file)
    if isinstance(checked, Finding):
        return checked
    return BarePicture(put(checked.data), checked.shape.size, checked.look, checked.warnings)
