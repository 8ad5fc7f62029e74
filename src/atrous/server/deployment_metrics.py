"""Figures for Prometheus of what was passed on to deployments."""

from __future__ import annotations

from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from atrous.workspace.deployment import Deployment


class DeploymentMetrics:
    """Requests and seconds by workspace, deployment and status. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        self._seconds: defaultdict[tuple[str, str, str], float] = defaultdict(float)

    def count(self, deployment: Deployment, status: int, elapsed_s: float) -> None:
        """Count a request that is over."""
        place = deployment.workspace, deployment.name, f"{status // 100}xx"
        with self._lock:
            self._requests[place] += 1
            self._seconds[place] += elapsed_s

    def of(self, workspace: str) -> DeploymentCollector:
        """The figures of a workspace as they are now."""
        with self._lock:
            requests, seconds = (
                {(name, status): value for (owner, name, status), value in sums.items() if owner == workspace}
                for sums in (self._requests, self._seconds)
            )
        return DeploymentCollector(requests, seconds)


class DeploymentCollector:
    """Figures by name and kind of status."""

    def __init__(self, requests: Mapping[tuple[str, str], float], seconds: Mapping[tuple[str, str], float]) -> None:
        self._requests = requests
        self._seconds = seconds

    def describe(self) -> list[Metric]:
        """Nothing that other collectors could clash with."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        labels = ["deployment", "status"]
        requests = CounterMetricFamily("atrous_deployment_requests", "Requests passed on.", labels=labels)
        seconds = CounterMetricFamily("atrous_deployment_seconds", "Time that these took.", labels=labels)
        for family, values in ((requests, self._requests), (seconds, self._seconds)):
            for place, value in sorted(values.items()):
                family.add_metric(place, value)
            yield family
