"""How the log is written: a line for people or a JSON object, keys masked in both."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from atrous.server.notes import current_notes
from atrous.server.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

PEOPLE, JSON = "people", "json"
# Attributes that every record has; whatever else it has was given as `extra`.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
# What may stand in a line; anything else could begin a line of its own or steer a terminal.
CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


class PeopleFormatter(logging.Formatter):
    """`time LEVEL logger message [request id]`, and the traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and more only for a traceback."""
        request_id = _find_request_id(record)
        line = f"{_time_text(record)} {record.levelname} {record.name} {_message_text(record)}"
        return "\n".join(
            [line + (f" [{request_id}]" if request_id else ""), *_traceback_text(record).splitlines()],
        )


class JsonFormatter(logging.Formatter):
    """One JSON object: time, level, logger, message, request_id, the record's own fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        content: dict[str, Any] = {
            "time": _time_text(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message_text(record),
        }
        if request_id := _find_request_id(record):
            content["request_id"] = request_id
        for name, value in vars(record).items():
            if name not in STANDARD and name not in content:
                content[name] = value if isinstance(value, int | float | None) else redact(str(value))
        if exception := _traceback_text(record):
            content["exception"] = exception
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS).decode()


FORMATTERS: dict[str, type[logging.Formatter]] = {PEOPLE: PeopleFormatter, JSON: JsonFormatter}


def set_up_logging(form: str, level: str, others: Sequence[logging.Handler] = ()) -> None:
    """Write the process's log to stderr, and hand it to other handlers as well.

    Args:
        form: `people` or `json`.
        level: name of the lowest level that is written, in any case.
        others: handlers beside it, such as RecentLogs.
    """
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(FORMATTERS[form]())
    logging.basicConfig(level=level.upper(), handlers=[to_stderr, *others], force=True)
    # On a first start each of its plugins introduces itself; on each export each of its passes does.
    for name in ("alembic", "onnx_ir", "onnxscript"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # They tell the URLs that are called, whose queries may be someone's secret.
    for name in ("httpx", "httpcore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _time_text(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message_text(record: logging.LogRecord) -> str:
    return redact(record.getMessage()).translate(CONTROLS)


def _traceback_text(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return redact("".join(traceback.format_exception(*record.exc_info)).rstrip())


def _find_request_id(record: logging.LogRecord) -> str | None:
    notes = current_notes()
    return getattr(record, "request_id", None) or (notes.request_id if notes else None)
