from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from atrous.server.logs import FORMATTERS
from atrous.server.notes import Notes, taking_notes
from atrous.server.recent_logs import RecentLogs
from atrous.server.redaction import MASK, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "0123456789abcdef0123456789abcdef01234567"
FORMS = sorted(FORMATTERS)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("atrous.tests.logs")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()


def write_to(logger: logging.Logger, form: str) -> io.StringIO:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(FORMATTERS[form]())
    logger.addHandler(handler)
    return written


@pytest.mark.parametrize(
    "text",
    [
        f"GET /x?api_key={KEY} 200",
        f"Authorization: Bearer {KEY}",
        "Authorization: Basic bm9ib2R5OnNlY3JldC1rZXk=",
        '{"api_key": "guessed", "image": ""}',
        r"{\"api_key\": \"guessed\"}",
        "{'api_key': 'guessed'}",
        "headers: [(b'authorization', b'Bearer guessed')]",
        f"wrong secret {KEY!r}",
        "api_key%3Dguessed&x=1",
    ],
)
def test_what_looks_like_a_key_is_masked(text: str) -> None:
    cleaned = redact(text)
    assert MASK in cleaned
    for secret in (KEY, "guessed", "bm9ib2R5"):
        assert secret not in cleaned


@pytest.mark.parametrize("text", ["sha256 " + "0a" * 32, "POST /road/1 200 3.5 ms", "an API key is required", "basic"])
def test_what_is_no_key_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_what_the_request_sent_is_masked_wherever_it_turns_up() -> None:
    with taking_notes(Notes("id", secrets=["hunter22", "a"])):
        assert redact("cannot find hunter22 at all") == f"cannot find {MASK} at all"
    assert "hunter22" in redact("hunter22")


@pytest.mark.parametrize("form", FORMS)
def test_an_exception_is_logged_without_the_key_in_it(logger: logging.Logger, form: str) -> None:
    written = write_to(logger, form)
    with taking_notes(Notes("request-1", secrets=["hunter22"])):
        try:
            int(f"no hunter22 and no {KEY}")
        except ValueError:
            logger.exception("failed for %s", KEY, extra={"query": f"api_key={KEY}"})
    assert "ValueError" in written.getvalue()
    assert "request-1" in written.getvalue()
    assert KEY not in written.getvalue()
    assert "hunter22" not in written.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_nobody_can_begin_a_line_of_his_own(logger: logging.Logger, form: str) -> None:
    written = write_to(logger, form)
    logger.info("path %s", "/a\n2026 INFO forged\r\x1b[2J\u2028x")
    assert len(written.getvalue().splitlines()) == 1
    assert "\x1b" not in written.getvalue()


def test_json_has_one_object_a_line_with_the_fields_of_the_record(logger: logging.Logger) -> None:
    written = write_to(logger, "json")
    logger.warning("slow: %s", "road/1", extra={"ms": 12.5, "request_id": "r1", "path": object})
    content = json.loads(written.getvalue())
    assert content["level"] == "WARNING"
    assert (content["message"], content["ms"], content["request_id"]) == ("slow: road/1", 12.5, "r1")
    assert datetime.fromisoformat(content["time"]).tzinfo == UTC


def test_recent_logs_hold_the_newest_and_mask_keys(logger: logging.Logger) -> None:
    recent = RecentLogs(3)
    logger.addHandler(recent)
    for number in range(5):
        logger.info("line %d api_key=%s", number, KEY)
    assert [line["message"] for line in recent.list()] == [f"line {n} api_key={MASK}" for n in (2, 3, 4)]
    assert [line["message"][:6] for line in recent.list(limit=1)] == ["line 4"]
    assert set(recent.list()[0]) == {"timestamp", "level", "logger", "message", "module", "line"}


def test_recent_logs_are_chosen_by_level_and_time(logger: logging.Logger) -> None:
    recent = RecentLogs()
    logger.addHandler(recent)
    logger.info("usual")
    logger.error("bad")
    assert [line["message"] for line in recent.list(level="warning")] == ["bad"]
    assert len(recent.list(level="nonsense")) == 2
    assert recent.list(since=datetime.now(UTC) + timedelta(seconds=1)) == []
    assert len(recent.list(since=datetime.now(UTC) - timedelta(minutes=1))) == 2
