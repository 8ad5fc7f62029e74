"""A real server on loopback under requests that nobody means well: 300 by default, 10,000 when slow tests are on.

The statuses are logged: `pytest -m slow -o log_cli=true -o log_cli_level=INFO tests/server/test_hostile_requests.py`.
"""

from __future__ import annotations

import json
import logging
import re
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import RED, as_base64, encode_squares, read_mask
from tests.server.hostile import DEADLINE_S, Target, damage_requests, record_requests, send_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure another process")

PICTURE = encode_squares([[RED]])
IMPATIENT = {"header_timeout_s": "1", "body_timeout_s": "1", "request_timeout_s": "10"}
# What threads, caches and the heap's own gaps may take beyond a warm server.
GROWTH_BYTES = 60_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("hostile") / "home"
    publish(home)
    with Server(home, settings=IMPATIENT) as running:
        yield running


@pytest.fixture
def target(server: Server) -> Iterator[Target]:
    """The server; after the attack it must be sound."""
    target = Target(server.url, server.pid, server.key)
    yield target
    logger.info(
        "%d requests, %s, slowest %.2f s, RSS %d MB",
        target.statuses.total(),
        dict(sorted(target.statuses.items())),
        target.slowest_s,
        target.rss_bytes() // 1_000_000,
    )
    assert target.faults[:5] == [], len(target.faults)
    check_sound(target)
    assert not any(server.key in line for line in server.err)
    assert not any("Traceback" in line or "request failed" in line for line in server.err)


def check_sound(target: Target) -> None:
    reply = httpx.post(f"{target.url}/road/1", params={"api_key": target.key}, content=PICTURE, timeout=DEADLINE_S)
    assert reply.status_code == 200
    assert read_mask(reply.json()).tolist() == [[1] * 8] * 8
    deadline = time.monotonic() + DEADLINE_S
    while not re.search(r"^atrous_requests_in_flight 1\.0$", httpx.get(f"{target.url}/metrics").text, re.MULTILINE):
        assert time.monotonic() < deadline, "something is still in flight"
        time.sleep(0.05)


def fuzz(target: Target, count: int) -> None:
    recorded = record_requests(target.key)
    target.attack(damage_requests(recorded, count // 3, seed=1))
    warm_bytes = target.rss_bytes()
    target.attack(damage_requests(recorded, count - count // 3, seed=2))
    growth_bytes = target.rss_bytes() - warm_bytes
    logger.info("RSS grew by %.1f MB after the first third", growth_bytes / 1e6)
    assert growth_bytes < GROWTH_BYTES
    assert target.statuses[200] > count // 20, "or nothing got through"


def test_damaged_requests_are_answered_or_hung_up_on(target: Target) -> None:
    fuzz(target, 180)


@pytest.mark.slow
def test_7000_damaged_requests_are_answered_or_hung_up_on(target: Target) -> None:
    fuzz(target, 7000)


def values() -> SearchStrategy[Any]:
    """Any JSON, and what has a meaning here."""
    words = st.sampled_from(
        ["road/1", "base64", "url", "file", "$inputs.image", "None", "best", as_base64(PICTURE), "", "True"]
    )
    numbers = st.integers() | st.floats()
    leaves = st.none() | st.booleans() | numbers | st.text(max_size=20) | words
    picture = st.fixed_dictionaries({"type": words, "value": words | leaves})
    return st.recursive(
        leaves | picture,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | words, inner, max_size=4),
        max_leaves=8,
    )


def bodies() -> SearchStrategy[bytes]:
    names = ["image", "confidence", "id", "api_key", "visualize_predictions", "visualization_stroke_width"]
    names += ["disable_preproc_contrast", "inputs", "specification", "excluded_fields"]
    good = {"model_id": "road/1", "image": {"type": "base64", "value": as_base64(PICTURE)}}
    objects = st.dictionaries(st.sampled_from([*names, "model_id"]), values(), max_size=5)
    near = st.dictionaries(st.sampled_from(names[1:7]), values(), max_size=2)
    texts = objects | near.map(lambda extra: {**good, **extra}) | values()
    return texts.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200) | st.just(PICTURE)


ROUTES = [
    *(("POST", path) for path in ("/road/1", "/infer/semantic_segmentation", "/workflows/run", "/model/add")),
    *(
        ("POST", path)
        for path in ("/infer/instance_segmentation", "/model/remove", "/model/clear", "/workflows/validate")
    ),
    *(("POST", path) for path in ("/main/workflows/road-1-t1", "/road/1", "/main/road-1-t1")),
    *(("GET", path) for path in ("/logs", "/model/registry", "/start/road/1", "/clear_cache", "/road/1", "/metrics")),
]
QUERY = ["confidence", "format", "labels", "stroke", "opacity", "image", "image_type", "limit", "level", "since", "x"]
QUERY_WORDS = ["image", "image_and_json", "True", "numpy", "url", "1e400", "nan", "-1", "50", "2026-01-01", "9" * 40]
HEADERS = [
    "content-type",
    "x-request-id",
    "execution_id",
    "authorization",
    "origin",
    "accept",
    "range",
    "x-forwarded-for",
]
LATIN = st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"])


@st.composite
def made_requests(draw: st.DrawFn) -> dict[str, Any]:
    anywhere = st.tuples(st.sampled_from(["POST", "GET", "PUT", "OPTIONS"]), st.text(max_size=30).map("/{}".format))
    method, path = draw(st.sampled_from(ROUTES) if draw(st.integers(0, 9)) else anywhere)
    values = st.text(max_size=20) | st.sampled_from(QUERY_WORDS)
    return {
        "method": method,
        "path": path,
        "params": draw(st.dictionaries(st.sampled_from(QUERY), values, max_size=3)),
        "headers": draw(st.dictionaries(st.sampled_from(HEADERS), st.text(LATIN, max_size=30), max_size=2)),
        "content": draw(bodies()),
        "with_key": draw(st.sampled_from([True, True, True, False])),
    }


def attack_with_made_requests(target: Target, count: int) -> None:
    with httpx.Client(base_url=target.url, timeout=DEADLINE_S) as client:

        @settings(
            max_examples=count,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(made=made_requests())
        def send(made: dict[str, Any]) -> None:
            sent = dict(made)
            headers = {name: value.encode("latin-1") for name, value in sent.pop("headers").items()}
            if sent.pop("with_key"):
                sent["params"] = {**sent["params"], "api_key": target.key}
            request = client.build_request(url=target.url + quote(sent.pop("path")), headers=headers, **sent)
            started = time.monotonic()
            try:
                reply = client.send(request)
            except httpx.TimeoutException:
                target.note(0, b"", DEADLINE_S + 1.0, made)
                return
            target.note(reply.status_code, reply.content, time.monotonic() - started, made)

        send()


def test_made_requests_are_answered_as_they_should(target: Target) -> None:
    attack_with_made_requests(target, 80)


@pytest.mark.slow
def test_1500_made_requests_are_answered_as_they_should(target: Target) -> None:
    attack_with_made_requests(target, 1500)


def test_a_head_without_end_is_answered_as_other_errors_are(target: Target) -> None:
    reply, _ = send_bytes(target.url, b"POST /dataset/road/upload?name=" + b"a" * 70_000)
    told = json.loads(reply.partition(b"\r\n\r\n")[2])
    assert "at most 16 kB" in told["message"]
    assert told["error"] == {"message": told["message"], "status": 400, "type": "Bad Request"}


TRUTHS = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")


def attack_by_description(target: Target, count: int) -> None:
    """Requests made from the description of the API, whose replies must be as it says."""
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis; pip install 'atrous[dev]'")
    from schemathesis.specs.openapi import checks

    schema = schemathesis.openapi.from_url(f"{target.url}/openapi.json")

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema.as_strategy())
    def send(case: Any) -> None:
        started = time.monotonic()
        reply = case.call(headers={"authorization": f"Bearer {target.key}"}, timeout=DEADLINE_S)
        what = case.as_curl_command()
        target.note(reply.status_code, reply.content, time.monotonic() - started, what)
        case.validate_response(reply, checks=[getattr(checks, name) for name in TRUTHS])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        send()


def test_the_server_answers_as_it_describes_itself(target: Target) -> None:
    attack_by_description(target, 60)


@pytest.mark.slow
def test_the_server_answers_1500_requests_as_it_describes_itself(target: Target) -> None:
    attack_by_description(target, 1500)
