"""Jobs as short as a test wants them; imports little, as each is done by a process of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.worker.watch import Watch
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job

STEP_S = 0.01


def open_nothing() -> Any:
    """No ports: these jobs touch none, and opening them takes longer than the job."""


def be_silent() -> None:
    """No log."""


def do_as_told(ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
    """Write a line `pid step` for each step into the job's journal, going on after the last one; see `add_steps`."""
    told, journal = job.payload, Path(job.payload["journal"])
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "step"
    first = int(kept.read_text()) if kept.exists() else 0
    for step in range(first, told["steps"]):
        if step == told.get("dies_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        if step == told.get("breaks_at"):
            raise RuntimeError("a fault")
        if step == told.get("fails_at"):
            raise InvalidInputError("the third picture: is none; remove it")
        _append(journal, f"{job.id} {os.getpid()} {step}")
        time.sleep(STEP_S)
        if told.get("keeps", True):
            draft = folder / "draft"
            draft.write_text(str(step + 1))
            draft.replace(kept)
        watch.report({"done": step + 1, "total": told["steps"]})
        if watch.wish() is not None and not told.get("deaf"):
            raise StoppedError(f"ended at step {step + 1} as wished: {watch.wish()}")
    return {"steps": told["steps"]}


def _append(journal: Path, line: str) -> None:
    with journal.open("a") as file:
        file.write(line + "\n")
