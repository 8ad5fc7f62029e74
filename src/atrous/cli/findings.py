"""Findings in the terminal: how many of each kind, then the first ones in full."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from atrous.cli.terminal import show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.datasets.findings import Finding

SHOWN_OF_A_KIND = 5
SHOWN_KINDS = 12


def show_findings(findings: Sequence[Finding]) -> None:
    """A table of kinds and, of each kind, the first few findings."""
    if not findings:
        return
    kinds = Counter(finding.kind for finding in findings)
    is_warning = {finding.kind: finding.is_warning for finding in findings}
    rows = [["look at it" if is_warning[kind] else "left out", kind.value, count] for kind, count in kinds.items()]
    show_table("Findings", ["what follows", "kind", "count"], rows)
    for kind in list(kinds)[:SHOWN_KINDS]:
        of_kind = [finding for finding in findings if finding.kind is kind]
        for finding in of_kind[:SHOWN_OF_A_KIND]:
            typer.echo(f"{'look at' if finding.is_warning else 'left out'}: {finding}")
        if len(of_kind) > SHOWN_OF_A_KIND:
            typer.echo(f"… and {len(of_kind) - SHOWN_OF_A_KIND} more {kind.value}; --report FILE lists them all")
