"""`atrous model`: what can be served."""

from __future__ import annotations

import typer

from atrous.cli.home import WorkspaceOption, open_ports
from atrous.cli.terminal import percent, show_table

app = typer.Typer(help="Models: trained weights, ready to serve.", no_args_is_help=True)


@app.command("list")
def list_(workspace: WorkspaceOption = None) -> None:
    """List published models; PROJECT/VERSION stands for the newest one of its version."""
    ports, slug = open_ports(workspace)
    rows = [
        [
            str(model.version_id),
            f"{model.workspace}/{model.slug}",
            percent(model.metrics.get("miou")),
            percent(model.metrics.get("served_miou")),
            f"{model.created:%Y-%m-%d %H:%M}",
        ]
        for model in ports.store.list_models(slug)
    ]
    columns = ["version", "model", "mIoU valid, plain winner", "as served", "created"]
    show_table(f"Models of {slug}", columns, rows)
