"""Pictures that lie inside LabelMe's JSON files, as files of their own."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.files.json_file import get_text, read_json
from atrous.datasets.files.tree import File, UnreadableFileError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.datasets.files.tree import Container

IMAGE_DATA = "imageData"


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """A container of the one picture in a JSON file, whatever it is called."""

    container: Container
    json_name: str

    @property
    def path(self) -> Path:
        """Of what holds the JSON file."""
        return self.container.path

    def read(self, name: str, limit: int) -> bytes:  # noqa: ARG002
        """The first `limit` bytes of the picture.

        Raises:
            UnreadableFileError: if the JSON file cannot be read or holds no base64.
        """
        text = get_text(read_json(File(self.container, self.json_name)), IMAGE_DATA)
        if text is None:
            raise UnreadableFileError(f"is not in {self.json_name}")
        try:
            return base64.b64decode(text)[:limit]
        except ValueError as error:
            raise UnreadableFileError(f"is damaged inside {self.json_name} (no base64)") from error

    def close(self) -> None:
        """Let go of what holds the JSON file."""
        self.container.close()
