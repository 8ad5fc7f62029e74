"""How a process ended, in words."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass

from atrous.core.errors import BrokenModelError, InvalidInputError, MissingExtraError, NotFoundError

# What trying again does not mend.
FINAL = InvalidInputError, NotFoundError, BrokenModelError, MissingExtraError
FINAL_CODES = frozenset(kind.exit_code for kind in FINAL)
MAX_LINE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that is gone.

    Attributes:
        code: as subprocess tells it: minus the signal's number if one ended it.
        last_line: that it logged.
    """

    code: int
    last_line: str = ""

    @property
    def is_final(self) -> bool:
        """Whether it said itself that it cannot run."""
        return self.code in FINAL_CODES

    @property
    def reason(self) -> str:
        """What it said last."""
        return _read_line(self.last_line).removeprefix("error: ")

    def describe(self) -> str:
        """Such as `was ended by SIGKILL; its last line: GET /info 200`."""
        how = f"was ended by {signal.Signals(-self.code).name}" if self.code < 0 else f"ended with code {self.code}"
        return f"{how}; its last line: {self.reason}" if self.last_line else how


def _read_line(line: str) -> str:
    """The message of a line that is a record in JSON, or else the line."""
    try:
        text = str(json.loads(line)["message"])
    except (ValueError, TypeError, LookupError):
        text = line
    return text if len(text) <= MAX_LINE_LENGTH else text[:MAX_LINE_LENGTH] + "…"
