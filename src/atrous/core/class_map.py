"""Class ids and their names: id 0 is `background`, id 255 is void."""

from __future__ import annotations

from dataclasses import dataclass

from atrous.core.errors import InvalidInputError

BACKGROUND = "background"
BACKGROUND_ID = 0
VOID_ID = 255
# Ids above 254 would collide with the void id in uint8 masks.
MAX_CLASSES = 255
MIN_MODEL_CLASSES = 2


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Names by id: `names[0]` is `background`, which may stand alone while a project is new; no name twice.

    Void (255) is not a class and has no entry.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names or self.names[0] != BACKGROUND:
            raise InvalidInputError(f"class map {list(self.names)}: id 0 must be named {BACKGROUND!r}")
        if len(self.names) > MAX_CLASSES:
            raise InvalidInputError(f"class map has {len(self.names)} classes; {MAX_CLASSES} is the most")
        seen: set[str] = set()
        for name in self.names:
            key = name.casefold()
            if not name or name != " ".join(name.split()) or key in seen:
                raise InvalidInputError(f"class name {name!r}: names must be distinct, trimmed, on one line, not empty")
            seen.add(key)

    def __len__(self) -> int:
        return len(self.names)

    def as_json(self) -> dict[str, str]:
        """Ids as decimal strings to names, in order of ids."""
        return {str(i): name for i, name in enumerate(self.names)}
