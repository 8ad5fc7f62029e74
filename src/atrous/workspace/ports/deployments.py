"""Deployments, what they were used for, and what they logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from atrous.workspace.deployment import Deployment, DeploymentReport, DeploymentWish, LogEntry, UsageHour


class DeploymentStore(Protocol):
    """Deployments, each kept by one host at a time.

    A host holds a deployment by a lease that it renews with each report; once a lease has run out, any host may take
    it. A host that comes back later is told so by ConflictError.
    """

    def add_deployment(self, deployment: Deployment) -> None:
        """Keep a new deployment. Raises ConflictError if any workspace has one of this name."""
        ...

    def find_deployment(self, name: str) -> Deployment | None:
        """The deployment, whosever it is, or None."""
        ...

    def list_deployments(self, workspace: str | None = None) -> list[Deployment]:
        """Oldest first."""
        ...

    def order_deployment(
        self,
        name: str,
        *,
        wish: DeploymentWish | None = None,
        models: Sequence[str] | None = None,
        expires: datetime | None = None,
    ) -> Deployment | None:
        """Say what a deployment is to be, what it is to serve, how long it is to live; what is None stays.

        Each change of models makes its revision one greater. Who wanted it deleted is not overruled. None if there is
        none.
        """
        ...

    def claim_deployments(
        self, owner: str, machine_types: Sequence[str], now: datetime, until: datetime, *, limit: int | None = None
    ) -> list[Deployment]:
        """Take every deployment of these types that is to run, or to be stopped or deleted, and that no host holds.

        Only the `limit` oldest of them if it is given. Gives all that this host holds then, oldest first, their leases
        renewed.
        """
        ...

    def report_deployment(
        self, name: str, owner: str, report: DeploymentReport, now: datetime, until: datetime | None
    ) -> None:
        """Tell what a deployment is, and hold it until then, or give it up if None.

        Raises ConflictError if somebody else holds it now.
        """
        ...

    def remove_deployment(self, name: str, owner: str) -> None:
        """Forget a deployment and its log; its use is kept. Raises ConflictError if somebody else holds it now."""
        ...

    def add_usage(self, hours: Sequence[UsageHour]) -> None:
        """Add to what is known of these hours."""
        ...

    def list_usage(
        self, workspace: str, since: datetime, until: datetime, deployment: str | None = None
    ) -> list[UsageHour]:
        """Hours that began in [since, until), oldest first; of one deployment if it is named."""
        ...

    def add_log_entries(self, deployment: str, entries: Sequence[LogEntry], *, keep: int) -> None:
        """Append lines, and forget the oldest where more than `keep` are there."""
        ...

    def list_log_entries(self, deployment: str, since: datetime, until: datetime, limit: int) -> list[LogEntry]:
        """Lines of [since, until], newest first, at most `limit`."""
        ...
