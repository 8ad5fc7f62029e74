"""How the terminal is spoken to: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

console = Console(stderr=True)
output = Console()


def say(text: str) -> None:
    """A line for people, beside the results."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def say_error(text: str) -> None:
    """One red sentence."""
    console.print(f"[red]error:[/red] {escape(text)}", highlight=False, soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A result as a table on stdout; columns of numbers stand to the right."""
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    output.print(table)


def open_progress(*columns: TextColumn) -> Progress:
    """A progress bar on stderr: name, bar, count, the columns given, time passed and time left.

    Printed lines go above the bar when stdout is the same terminal, and untouched into a pipe or file.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=sys.stdout.isatty(),
    )


@contextmanager
def show_progress(description: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar that is told how many of how many are done."""
    with open_progress() as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def percent(share: float | None) -> str:
    """A share of 1 as a percentage, or n/a."""
    return "n/a" if share is None else f"{100 * share:.1f} %"
