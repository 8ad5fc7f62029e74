from __future__ import annotations

import pytest
from benchmarks.results import print_rows, write_cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (5282.4, "5,282"),
        (99.96, "100.0"),
        (31.25, "31.2"),
        (3.14159, "3.14"),
        (0.1234, "0.12"),
        (0.00432, "0.0043"),
        (0.0, "0"),
        (-4.295, "-4.29"),
        (12, "12"),
        (None, "-"),
        ("fp32", "fp32"),
    ],
)
def test_a_cell_has_the_digits_that_mean_something(value: float | str | None, cell: str) -> None:
    assert write_cell(value) == cell


def test_rows_with_different_columns_make_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"clients": 1, "p50_ms": 20.0}, {"clients": 64, "refused": 3}])
    lines = [line.split() for line in capsys.readouterr().out.strip().splitlines()]
    assert lines == [["clients", "p50", "ms", "refused"], ["1", "20.0", "-"], ["64", "-", "3"]]
