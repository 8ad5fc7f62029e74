"""Figures for Prometheus. Each app counts for itself, in a registry of its own.

`http_…`, `num_…` and `avg_…` have the names that dashboards of the stock server ask for; the rest begins with
`atrous_`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from atrous.runtime.stages import Stage
from atrous.server.deployment_metrics import DeploymentMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from atrous.runtime.stages import Stages
    from atrous.workspace.records import Model

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LOAD_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNKNOWN_ROUTE = "none"
ERROR_STATUS = 400
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")


@dataclass(slots=True)
class _Tally:
    """What one model has done."""

    inferences: int = 0
    errors: int = 0
    time_s: float = 0.0


class Metrics:
    """What has happened since the app was made. Safe to use from several threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests by route.", ["method", "handler", "status"], registry=self._registry
        )
        self._latency = Histogram(
            "http_request_duration_seconds",
            "Time from the head of a request to the end of its reply.",
            ["method", "handler"],
            buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._refusals = Counter(
            "atrous_http_errors", "Replies with a status of 400 or more.", ["status"], registry=self._registry
        )
        self._loads = Counter("atrous_model_loads", "Models read into memory.", ["result"], registry=self._registry)
        self._load_time = Histogram(
            "atrous_model_load_seconds", "Time to load a model.", buckets=LOAD_BUCKETS_S, registry=self._registry
        )
        stage_time = Histogram(
            "atrous_stage_seconds",
            "Time of each part of an answer to a picture.",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self._registry,
        )
        self._stage_times = {stage: stage_time.labels(stage) for stage in Stage}
        self.evictions = Counter("atrous_model_evictions", "Models that made room for others.", registry=self._registry)
        self.deployments = DeploymentMetrics()
        self._lock = Lock()
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a value that is read when it is asked for."""
        Gauge(name, text, registry=self._registry).set_function(read)

    def count_request(self, method: str, route: str | None, status: int, elapsed_s: float) -> None:
        """Count a request that is over."""
        # Anything may be sent as a method; each label value takes memory for ever.
        method, handler = method if method in METHODS else "OTHER", route or UNKNOWN_ROUTE
        self._requests.labels(method, handler, f"{status // 100}xx").inc()
        self._latency.labels(method, handler).observe(elapsed_s)
        if status >= ERROR_STATUS:
            self._refusals.labels(str(status)).inc()

    def count_load(self, elapsed_s: float, *, is_good: bool) -> None:
        """Count an attempt to load a model."""
        self._loads.labels("ok" if is_good else "failed").inc()
        self._load_time.observe(elapsed_s)

    def observe_stages(self, stages: Stages) -> None:
        """Take note of where the time of an answer to one picture went."""
        for stage, taken_s in stages.seconds.items():
            self._stage_times[stage].observe(taken_s)

    def count_inference(self, model: Model, elapsed_s: float, *, is_good: bool) -> None:
        """Count a request that put a model to work, or failed to."""
        with self._lock:
            tally = self._tallies.setdefault((model.workspace, model.slug), _Tally())
            if is_good:
                tally.inferences += 1
                tally.time_s += elapsed_s
            else:
                tally.errors += 1

    def render(self, workspace: str | None) -> bytes:
        """The text that Prometheus reads.

        Args:
            workspace: whose models and deployments are shown; None shows none, as their names are nobody else's
                business.
        """
        text = generate_latest(self._registry)
        if workspace is None:
            return text
        of_workspace = CollectorRegistry()
        of_workspace.register(_ModelMetrics(self._tallies_of(workspace)))
        of_workspace.register(self.deployments.of(workspace))
        return text + generate_latest(of_workspace)

    def _tallies_of(self, workspace: str) -> dict[str, _Tally]:
        with self._lock:
            return {f"{owner}/{slug}": tally for (owner, slug), tally in self._tallies.items() if owner == workspace}


class _ModelMetrics:
    """Figures of each model, under one name with a label, and under the stock server's names of their own."""

    def __init__(self, tallies: dict[str, _Tally]) -> None:
        self._tallies = tallies

    def describe(self) -> list[Metric]:
        """Nothing that other collectors could clash with."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        inferences = CounterMetricFamily("atrous_model_inferences", "Predictions asked for.", labels=["model"])
        errors = CounterMetricFamily("atrous_model_errors", "Predictions that failed.", labels=["model"])
        seconds = CounterMetricFamily("atrous_model_seconds", "Time spent on predictions.", labels=["model"])
        for model_id, tally in self._tallies.items():
            inferences.add_metric([model_id], tally.inferences)
            errors.add_metric([model_id], tally.errors)
            seconds.add_metric([model_id], tally.time_s)
            yield from _stock_metrics(NOT_IN_NAMES.sub("_", model_id), tally)
        everything = _Tally(
            sum(tally.inferences for tally in self._tallies.values()),
            sum(tally.errors for tally in self._tallies.values()),
            sum(tally.time_s for tally in self._tallies.values()),
        )
        yield from (inferences, errors, seconds, *_stock_metrics("total", everything))


def _stock_metrics(name: str, tally: _Tally) -> Iterator[Metric]:
    average_s = tally.time_s / tally.inferences if tally.inferences else 0.0
    yield GaugeMetricFamily(f"num_inferences_{name}", "Predictions.", tally.inferences)
    yield GaugeMetricFamily(f"avg_inference_time_{name}", "Seconds per prediction.", average_s)
    yield GaugeMetricFamily(f"num_errors_{name}", "Failed predictions.", tally.errors)
