"""The command `atrous`: one file per noun, put together here; errors become a sentence and an exit code."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from atrous import __version__
from atrous.cli import (
    backup,
    datasets,
    deployments,
    doctor,
    evaluate,
    imports,
    infer,
    keys,
    models,
    projects,
    serve,
    train,
    versions,
    worker,
    workspaces,
)
from atrous.cli.terminal import say_error
from atrous.core.errors import AtrousError, InvalidInputError, StorageError

INTERRUPTED = 130
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

app = typer.Typer(
    name="atrous",
    help="Semantic segmentation on your own machine: import pictures, train, evaluate, serve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("import")(imports.import_)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("infer")(infer.infer)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
NOUNS = {
    "dataset": datasets,
    "project": projects,
    "version": versions,
    "model": models,
    "deployment": deployments,
    "key": keys,
    "workspace": workspaces,
}
for noun, file in NOUNS.items():
    app.add_typer(file.app, name=noun)
    # As people type it too: `atrous models list`.
    app.add_typer(file.app, name=f"{noun}s", hidden=True)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"atrous {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; an expected error becomes one sentence on stderr and an exit code of its kind."""
    try:
        app()
    except AtrousError as error:
        say_error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say_error("interrupted; what was finished is kept")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody left to tell.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            say_error(f"{error.filename or 'the disk'}: cannot be written ({error.strerror}); free space and try again")
            sys.exit(StorageError.exit_code)
        if error.filename is None:
            raise
        say_error(f"{error.filename}: cannot be used ({error.strerror}); check the path and who may use it")
        sys.exit(InvalidInputError.exit_code)
