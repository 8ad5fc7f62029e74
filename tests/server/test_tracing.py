from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.fakes.pictures import RED, encode_squares

from atrous.core.errors import MissingExtraError
from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.server.tracing import OpenTelemetryTracing, Tracing, make_tracing

if TYPE_CHECKING:
    from tests.server.place import Place

PICTURE = encode_squares([[RED]])
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

IMPORT_AND_LIST = """
import sys
from atrous.server.app import create_app
from atrous.server.tracing import make_tracing
make_tracing({})
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""


class FakeSpan:
    """What a span is told."""

    def __init__(self, name: str, parent: Any) -> None:
        self.name, self.parent = name, parent
        self.attributes: dict[str, Any] = {}
        self.status: Any = None

    def __enter__(self) -> FakeSpan:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update_name(self, name: str) -> None:
        self.name = name

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        self.attributes.update(attributes)

    def set_status(self, status: Any) -> None:
        self.status = status


class FakeProvider:
    """A tracer provider that keeps its spans."""

    def __init__(self) -> None:
        self.spans: list[FakeSpan] = []
        self.is_shut_down = False

    def get_tracer(self, *_: object) -> FakeProvider:
        return self

    def start_as_current_span(self, name: str, context: Any, *_: object, **__: object) -> FakeSpan:
        self.spans.append(FakeSpan(name, context))
        return self.spans[-1]

    def shutdown(self) -> None:
        self.is_shut_down = True


def test_nothing_is_traced_or_loaded_unless_the_operator_says_where_to() -> None:
    assert type(make_tracing({})) is Tracing
    assert type(make_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": ""})) is Tracing
    ran = subprocess.run([sys.executable, "-c", IMPORT_AND_LIST], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_the_extra_the_operator_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'atrous\[otel\]'"):
        make_tracing(ENDPOINT)


def test_a_span_has_route_status_and_model_and_no_key(place: Place) -> None:
    pytest.importorskip("opentelemetry.trace", reason="needs opentelemetry-api")
    place.publish()
    provider = FakeProvider()
    with TestClient(create_app(Settings(), place.ports, tracing=OpenTelemetryTracing(provider))) as client:
        headers = {"traceparent": PARENT}
        reply = client.post("/road/1", params={"api_key": place.key}, content=PICTURE, headers=headers)
        client.get("/no/where/at/all/here", headers={"authorization": f"Bearer {place.key}"})
    assert provider.is_shut_down
    span, other = provider.spans
    assert span.name == "POST /{project}/{version}"
    assert span.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/{project}/{version}",
        "atrous.model": "acme/road-1-a",
        "atrous.request_id": reply.headers["x-request-id"],
    }
    assert "4bf92f3577b34da6a3ce929d0e0e4736" in f"{next(iter(span.parent.values())).get_span_context().trace_id:032x}"
    assert (other.name, other.attributes["http.response.status_code"]) == ("GET", 404)
    assert place.key not in str([vars(one) for one in provider.spans])
