"""Which charts tell what a benchmark found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.runtime.stages import Stage
from benchmarks.charts import Chart, Group, draw_bars, draw_lines, draw_stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.results import Result, Row

# The size of picture whose decoding is drawn; the others stand in the table.
DRAWN_SIZE = "1920x1080"


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart's file without its ending, and how it comes from a result."""

    name: str
    draw: Callable[[Result], str]


def draw_stages(result: Result) -> str:
    """Where the time of an answer goes."""
    columns = [f"{stage}_ms" for stage in Stage]
    groups = tuple(Group(_name_case(row), tuple(row[column] for column in columns)) for row in result.rows)
    return draw_stacks(Chart("Where the time of an answer goes", "milliseconds", tuple(Stage), groups))


def draw_answers(result: Result) -> str:
    """An answer over HTTP beside the bare pass."""
    series = ("over HTTP", "bare fp32 session.run")
    groups = tuple(Group(_name_case(row), (row["http_ms"], row["bare_ms"])) for row in result.rows)
    return draw_bars(Chart("An answer beside the bare network", "milliseconds, p50, one client", series, groups))


def draw_latencies(result: Result) -> str:
    """Servers compared: time of one client."""
    return _draw_servers(result, "p50_ms", Chart("Time of an answer", "milliseconds, p50, one client", (), ()))


def draw_gains(result: Result) -> str:
    """Servers compared: answers of several clients."""
    axis = f"answers per second, {result.setting['clients']} clients"
    return _draw_servers(result, "rate_per_s", Chart("Answers under load", axis, (), ()))


def draw_rates(result: Result) -> str:
    """Answers per second by clients."""
    series = _list_values(result.rows, "precision")
    return draw_lines(
        Chart(
            "Answers under load",
            "answers per second",
            series,
            _group_rows(result.rows, "clients", "precision", series, "rate_per_s"),
            "number of clients",
        )
    )


def draw_percentiles(result: Result) -> str:
    """How long clients wait, by their number; of the last precision measured."""
    precision = _list_values(result.rows, "precision")[-1]
    rows = [row for row in result.rows if row["precision"] == precision]
    groups = tuple(Group(str(row["clients"]), (row["p50_ms"], row["p95_ms"], row["p99_ms"])) for row in rows)
    title = f"How long clients wait, {precision}"
    return draw_lines(Chart(title, "milliseconds", ("p50", "p95", "p99"), groups, "number of clients"))


def draw_soak(result: Result) -> str:
    """Memory by requests."""
    series = _list_values(result.rows, "precision")
    groups = _group_rows(result.rows, "requests", "precision", series, "rss_mib")
    return draw_lines(Chart("Memory of the server", "MiB", series, groups, "requests answered"))


def draw_memory(result: Result) -> str:
    """What a server holds as it takes on more."""
    return _draw_values(result, "MiB", Chart("Memory of the server", "MiB", ("",), ()))


def draw_starts(result: Result) -> str:
    """What a server takes before it answers."""
    return _draw_values(result, "s", Chart("Start and first answers", "seconds", ("",), ()))


def draw_decoding(result: Result) -> str:
    """Kernel and plain way by number of classes."""
    rows = [row for row in result.rows if row["photograph"] == DRAWN_SIZE] or result.rows
    series = ("kernel", "plain softmax at full size")
    groups = tuple(Group(f"{row['classes']} classes", (row["kernel_ms"], row["plain_ms"])) for row in rows)
    return draw_bars(Chart(f"From logits to pixels, {rows[0]['photograph']}", "milliseconds", series, groups))


# By benchmark, in the order in which its page shows them.
FIGURES: dict[str, tuple[Figure, ...]] = {
    "against": (Figure("against-latency", draw_latencies), Figure("against-load", draw_gains)),
    "answer": (Figure("answer", draw_answers), Figure("stages", draw_stages)),
    "load": (Figure("load-rate", draw_rates), Figure("load-wait", draw_percentiles)),
    # Its table says it all.
    "refusals": (),
    "soak": (Figure("soak", draw_soak),),
    "memory": (Figure("memory", draw_memory), Figure("start", draw_starts)),
    "decode": (Figure("decode", draw_decoding),),
}


def _draw_servers(result: Result, column: str, empty: Chart) -> str:
    series = _list_values(result.rows, "server")
    groups = _group_rows(result.rows, "photograph", "server", series, column)
    return draw_bars(Chart(empty.title, empty.axis, series, groups))


def _draw_values(result: Result, unit: str, empty: Chart) -> str:
    rows = [row for row in result.rows if row["unit"] == unit]
    groups = tuple(Group(row["what"].removeprefix("memory, "), (row["value"],)) for row in rows)
    return draw_bars(Chart(empty.title, empty.axis, empty.series, groups))


def _group_rows(
    rows: Sequence[Row], group_by: str, series_by: str, series: Sequence[str], column: str
) -> tuple[Group, ...]:
    """The values of a column: a group for each value of one other column, a series for each of another."""
    found = {(str(row[group_by]), row[series_by]): row[column] for row in rows}
    labels = _list_values(rows, group_by)
    return tuple(Group(label, tuple(found.get((label, one)) for one in series)) for label in labels)


def _list_values(rows: Sequence[Row], column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(row[column]) for row in rows))


def _name_case(row: Row) -> str:
    return f"{row['photograph']}, {row['precision']}"
