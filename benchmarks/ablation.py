"""The table behind the default recipe: trains a plan's baseline, its choices and its finalists, and compares them.

usage: python -m benchmarks.ablation --version PROJECT/1 [PROJECT/1 ...] --out DIR [--plan FILE] [--home DIR]

Everything runs on the first version, the finalists on all. Each run is a process of its own and keeps what it found in
DIR, so that the same command goes on where it was stopped: a run that is there is not repeated, and one that was
killed goes on from its checkpoint. `DIR/table.md` is written anew after each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atrous.adapters.home import open_home
from atrous.cli.home import find_home
from atrous.core.errors import AtrousError, InvalidInputError
from atrous.core.ids import parse_version_id
from atrous.workspace.versions import find_version
from benchmarks.ablation_plan import BASELINE, read_plan
from benchmarks.ablation_run import RUN, SPEC, Spec
from benchmarks.ablation_table import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.workspace.ports import Ports
    from benchmarks.ablation_plan import Plan

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PLAN = ROOT / "benchmarks" / "plans" / "default.toml"
TABLE = "table.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing; 1 if a run failed, 2 if nothing could be begun."""
    given = _parse(arguments)
    try:
        plan = _read(given)
        specs = list_specs(open_home(given.home), given.home, given.workspace, given.version, plan)
        chosen = _choose(specs, given.only)
    except AtrousError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    failed: list[str] = []
    for number, spec in enumerate(chosen, 1):
        print(f"{number}/{len(chosen)} {spec.version} {spec.name}", flush=True)
        if not run(given.out, spec):
            failed.append(f"{spec.version} {spec.name}")
        write_tables(given.out, specs)
    print(f"table: {given.out / TABLE}")
    if failed:
        print(f"failed: {', '.join(failed)}; the same command tries them again", file=sys.stderr)
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.ablation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", nargs="+", required=True, help="PROJECT/VERSION; finalists run on all of them")
    parser.add_argument("--out", type=Path, required=True, help="folder of what was found")
    parser.add_argument("--plan", type=Path, default=DEFAULT_PLAN, help="[default: benchmarks/plans/default.toml]")
    parser.add_argument("--home", type=Path, default=find_home(), help="[default: ATROUS_HOME]")
    parser.add_argument("--workspace", help="[default: the first one]")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="runs of the plan [default: all]")
    parser.add_argument("--epochs", type=int, help="in place of the plan's")
    parser.add_argument("--seconds", type=float, help="in place of the plan's")
    return parser.parse_args(arguments)


def _read(given: argparse.Namespace) -> Plan:
    plan = read_plan(given.plan)
    changes = {name: getattr(given, name) for name in ("epochs", "seconds") if getattr(given, name) is not None}
    return replace(plan, budget=replace(plan.budget, **changes))


def list_specs(ports: Ports, home: Path, workspace: str | None, versions: Sequence[str], plan: Plan) -> list[Spec]:
    """Every run of a plan, the first version's first.

    Raises:
        InvalidInputError: if the home has no workspace, or a recipe cannot be.
        NotFoundError: if a version is not there.
    """
    workspaces = ports.store.list_workspaces()
    if not workspaces:
        raise InvalidInputError(f"{home}: holds no workspace; name a home that has the version with --home")
    chosen = workspace or workspaces[0]
    specs: list[Spec] = []
    for text in versions:
        version = find_version(ports, chosen, parse_version_id(text))
        for name, changes in plan.list_runs(is_first=text == versions[0]).items():
            recipe, budget = plan.make_recipe(changes).as_json(), asdict(plan.budget)
            specs.append(Spec(name, str(home), chosen, text, version.content_sha256, changes, recipe, budget))
    return specs


def _choose(specs: list[Spec], only: Sequence[str] | None) -> list[Spec]:
    if only is None:
        return specs
    unknown = set(only) - {spec.name for spec in specs}
    if unknown:
        raise InvalidInputError(f"--only {min(unknown)}: no run of the plan has this name")
    return [spec for spec in specs if spec.name in {BASELINE, *only}]


def run(out: Path, spec: Spec) -> bool:
    """Make a run unless it is there; whether it is there now."""
    folder = find_folder(out, spec)
    if read_run(out, spec) is not None:
        print("  is there", flush=True)
        return True
    content = json.dumps(asdict(spec), indent=1)
    path = folder / SPEC
    if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != json.loads(content):
        # What was begun for another spec is of no use to this one.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path.write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.ablation_run", str(folder.resolve())]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def find_folder(out: Path, spec: Spec) -> Path:
    """Where a run keeps what it found."""
    return out / spec.version.replace("/", "-") / spec.name


def read_run(out: Path, spec: Spec) -> dict[str, Any] | None:
    """What a run found, if it was made by this spec, wherever its home lay then."""
    try:
        content = json.loads((find_folder(out, spec) / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content if _strip(content["spec"]) == _strip(json.loads(json.dumps(asdict(spec)))) else None


def _strip(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != "home"}


def write_tables(out: Path, specs: Sequence[Spec]) -> None:
    """Write what is there so far, a table a version."""
    tables: list[str] = []
    for version in dict.fromkeys(spec.version for spec in specs):
        found = {spec.name: read_run(out, spec) for spec in specs if spec.version == version}
        runs = {name: content for name, content in found.items() if content is not None}
        if runs:
            tables.append(write_table(version, next(iter(runs.values()))["spec"]["budget"], runs))
    out.mkdir(parents=True, exist_ok=True)
    (out / TABLE).write_text("\n".join(tables), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
