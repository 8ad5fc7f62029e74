"""What a job is told by whoever runs it, and tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Wish


class Watch(Protocol):
    """Follows a job."""

    def report(self, progress: Mapping[str, Any]) -> None:
        """Tell how far the job is; cheap enough for every picture.

        Args:
            progress: plain values, among them a number `done` (or `current`) that grows; a job whose process dies
                several times without getting further is given up.
        """
        ...

    def wish(self) -> Wish | None:
        """What is wanted of the job by now, a pause included; cheap enough for every picture."""
        ...


class SilentWatch:
    """Follows nothing and wants nothing."""

    def report(self, progress: Mapping[str, Any]) -> None:
        """Ignore."""

    def wish(self) -> Wish | None:
        """Nothing."""
        return None


class Work(Protocol):
    """The function of a kind of job.

    It may be run again at any time, from the start, by the same or another worker, after a kill at any moment: it goes
    on with what its last run left.
    """

    def __call__(self, ports: Ports, job: Job, folder: Path, watch: Watch) -> Mapping[str, Any]:
        """Do it.

        Args:
            ports: the world.
            job: what to do.
            folder: a local folder of the job's own that outlives a killed run; may not exist yet.
            watch: follows it.

        Returns:
            The job's result, plain values.

        Raises:
            AtrousError: why it cannot be done; the job has failed.
            StoppedError: because the watch wished for an end.
        """
        ...
