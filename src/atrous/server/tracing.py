"""Spans for OpenTelemetry: sent only where the operator says, and nothing at all unless he does."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers

from atrous import __version__
from atrous.core.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from starlette.types import Scope

    from atrous.server.notes import Notes

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SERVER_ERROR = 500


class Tracing:
    """One span per request; this one makes none."""

    @contextmanager
    def span(self, scope: Scope, notes: Notes) -> Generator[dict[str, Any]]:
        """Watch a request; its status is put into the dict that is given."""
        del scope, notes
        yield {}

    def shut_down(self) -> None:
        """Send what is left."""


class OpenTelemetryTracing(Tracing):
    """Spans with method, route, status, model and request id; never a query, a header or a body."""

    def __init__(self, provider: Any) -> None:
        # By name, as type checkers need not have the extra, and servers without it load nothing.
        self._trace: Any = import_module("opentelemetry.trace")
        propagation: Any = import_module("opentelemetry.trace.propagation.tracecontext")
        self._provider = provider
        self._tracer = provider.get_tracer("atrous", __version__)
        self._propagator = propagation.TraceContextTextMapPropagator()

    @contextmanager
    def span(self, scope: Scope, notes: Notes) -> Generator[dict[str, Any]]:
        """Record a request under the trace of its caller, if it names one."""
        parent = self._propagator.extract(dict(Headers(scope=scope)))
        kind = self._trace.SpanKind.SERVER
        with self._tracer.start_as_current_span(scope["method"], parent, kind, record_exception=False) as span:
            outcome: dict[str, Any] = {}
            try:
                yield outcome
            finally:
                self._describe(span, scope["method"], notes, outcome.get("status", 0))

    def shut_down(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _describe(self, span: Any, method: str, notes: Notes, status: int) -> None:
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.response.status_code": status,
            "atrous.request_id": notes.request_id,
        }
        if notes.route:
            span.update_name(f"{method} {notes.route}")
            attributes["http.route"] = notes.route
        if notes.model:
            attributes["atrous.model"] = f"{notes.model.workspace}/{notes.model.slug}"
        span.set_attributes(attributes)
        if status >= SERVER_ERROR:
            span.set_status(self._trace.StatusCode.ERROR)


def make_tracing(environment: Mapping[str, str]) -> Tracing:
    """Trace to `OTEL_EXPORTER_OTLP_ENDPOINT` over HTTP; without that variable nothing is loaded, made or sent.

    Raises:
        MissingExtraError: if it is set and OpenTelemetry is not installed.
    """
    if not environment.get(ENDPOINT):
        return Tracing()
    try:
        exporters: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        resources: Any = import_module("opentelemetry.sdk.resources")
        sdk: Any = import_module("opentelemetry.sdk.trace")
        processors: Any = import_module("opentelemetry.sdk.trace.export")
    except ImportError as error:
        raise MissingExtraError(f"{ENDPOINT} is set; install OpenTelemetry: pip install 'atrous[otel]'") from error
    name = environment.get("OTEL_SERVICE_NAME") or "atrous"
    provider = sdk.TracerProvider(resource=resources.Resource.create({resources.SERVICE_NAME: name}))
    provider.add_span_processor(processors.BatchSpanProcessor(exporters.OTLPSpanExporter()))
    return OpenTelemetryTracing(provider)
