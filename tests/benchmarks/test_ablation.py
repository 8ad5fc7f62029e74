from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from benchmarks.ablation_plan import BASELINE, read_plan  # noqa: E402
from benchmarks.ablation_table import write_table  # noqa: E402
from tests.fakes.datasets import add_version  # noqa: E402
from tests.training.runs import STEPS_PER_EPOCH, Stopper  # noqa: E402

from atrous.adapters.home import open_home  # noqa: E402
from atrous.core.errors import InvalidInputError, StoppedError  # noqa: E402
from atrous.core.sizes import Size  # noqa: E402
from atrous.training.loop import run_training  # noqa: E402
from benchmarks import ablation, ablation_run  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator

PLAN = """
[budget]
epochs = 2
train_pictures = 4
size = [32, 48]
[baseline]
encoder = "tu-test_resnet"
encoder_weights = "none"
batch_size = 2
device = "cpu"
decoder_channels = 16
[choices.dice]
overlap_loss = "dice"
[finalists.no-flip]
flip = false
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two versions, and a plan."""
    folder = tmp_path_factory.mktemp("ablation")
    ports = open_home(folder / "home")
    ports.store.add_workspace("main")
    add_version(ports, "main", "road")
    add_version(ports, "main", "sea", seed=1)
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    return folder


def options(place: Path, *more: str, out: str = "out") -> list[str]:
    plan, home = str(place / "plan.toml"), str(place / "home")
    return ["--plan", plan, "--home", home, "--out", str(place / out), "--version", "road/1", *more]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Generator[None]:
    """Networks this small lose far more to waiting threads than they gain."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def table(place: Path) -> str:
    """Of three runs, the first in a process of its own, as all are in earnest; the others here, to save their start."""
    start = subprocess.run

    def run(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        if command[-1].endswith(BASELINE):
            return start(command, **more)
        return subprocess.CompletedProcess(command, ablation_run.main(command[-1:]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation.subprocess, "run", run)
        assert ablation.main(options(place)) == 0
    return (place / "out" / "table.md").read_text(encoding="utf-8")


def test_the_table_has_a_row_a_run_with_what_it_changed_and_its_intervals(table: str) -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    assert {row[0]: row[1] for row in rows[2:]} == {
        BASELINE: "-",
        "dice": "`overlap_loss = dice`",
        "no-flip": "`flip = False`",
    }
    assert rows[2][0] == BASELINE
    for row in rows[3:]:
        assert 0 <= float(row[2]) <= 100
        assert " to " in row[3]
        assert row[4][0] in "+-"
        assert row[6] in {"better", "worse", "not told apart"}
        assert row[7] == "2"
    assert "Budget of each run: epochs 2, train pictures 4" in table
    assert "on 2 pictures of valid" in table


def test_a_run_keeps_all_that_made_it(place: Path, table: str) -> None:
    content = json.loads((place / "out" / "road-1" / "dice" / "run.json").read_text(encoding="utf-8"))
    assert content["spec"]["changes"] == {"overlap_loss": "dice"}
    assert (content["spec"]["recipe"]["epochs"], content["spec"]["recipe"]["overlap_loss"]) == (2, "dice")
    assert [epoch["epoch"] for epoch in content["epochs"]] == [1, 2]
    assert content["interval"][0] <= content["miou"] <= content["interval"][1]
    assert len(content["counts"]["label_PK"]) == 2
    assert len(content["weights_sha256"]) == 64


def test_what_is_there_is_not_repeated_and_another_budget_is_another_run(
    place: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []

    def begin(command: list[str], **_: Any):
        begun.append(Path(command[-1]).name)
        raise KeyboardInterrupt

    monkeypatch.setattr(ablation.subprocess, "run", begin)
    assert ablation.main(options(place)) == 0
    assert (place / "out" / "table.md").read_text(encoding="utf-8") == table
    with pytest.raises(KeyboardInterrupt):
        ablation.main(options(place, "--only", "dice", "--epochs", "3"))
    assert begun == [BASELINE]


def list_specs(place: Path, *versions: str):
    plan = read_plan(place / "plan.toml")
    return ablation.list_specs(open_home(place / "home"), place / "home", None, versions, plan)


def test_finalists_run_on_every_version_and_choices_on_the_first(place: Path) -> None:
    specs = list_specs(place, "road/1", "sea/1")
    assert [(spec.version, spec.name) for spec in specs] == [
        ("road/1", BASELINE),
        ("road/1", "dice"),
        ("road/1", "no-flip"),
        ("sea/1", BASELINE),
        ("sea/1", "no-flip"),
    ]


def test_a_run_that_was_broken_off_goes_on_from_its_checkpoint(place: Path) -> None:
    (_, spec, _) = list_specs(place, "road/1")
    folder = place / "broken"
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps(ablation.asdict(spec)), encoding="utf-8")
    config = ablation_run.make_config(spec, folder / "run")
    assert len(config.samples) == 4 + 2
    assert config.preprocessing.size == Size(height=32, width=48)
    with pytest.raises(StoppedError):
        run_training(config, Stopper(STEPS_PER_EPOCH))
    first = (folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert ablation_run.main([str(folder)]) == 0
    epochs = json.loads((folder / "run.json").read_text(encoding="utf-8"))["epochs"]
    assert len(epochs) == 2
    assert epochs[: len(first)] == [json.loads(line) for line in first]
    assert not (folder / "run").exists()


def test_a_run_that_fails_is_named_and_the_others_go_on(
    place: Path, table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablation, "run", lambda _, spec: spec.name != "dice")
    assert ablation.main(options(place)) == 1
    said = capsys.readouterr()
    assert "failed: road/1 dice; the same command tries them again" in said.err
    assert "3/3 road/1 no-flip" in said.out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("epochs = 2", "hours = 2"), "budget: name epochs"),
        (("[choices.dice]", "[choices.dice]\nsorcery = 1"), "dice: sorcery is no choice of a recipe"),
        (('overlap_loss = "dice"', "flip = true"), "dice: changes nothing of the baseline"),
        (('overlap_loss = "dice"', 'overlap_loss = "magic"'), "--overlap-loss magic: choose one of"),
        (("[finalists.no-flip]", "[winners.no-flip]"), "winners: unknown; a plan has"),
        (("[budget]", "[budget"), "is no plan"),
        (("size = [32, 48]", "size = 3"), "size is"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], told: str
) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace(*change), encoding="utf-8")
    with pytest.raises(InvalidInputError) as caught:
        read_plan(tmp_path / "plan.toml")
    assert told in str(caught.value)
    assert ablation.main(options(tmp_path)) == 2
    assert told in capsys.readouterr().err


def test_the_plan_of_the_project_can_be_run() -> None:
    plan = read_plan(ablation.DEFAULT_PLAN)
    assert len(plan.choices) >= 12
    assert all(len(changes) <= 3 for changes in plan.choices.values())
    assert plan.finalists


def test_a_table_without_a_baseline_compares_nothing(place: Path, table: str) -> None:
    run = json.loads((place / "out" / "road-1" / "dice" / "run.json").read_text(encoding="utf-8"))
    row = write_table("road/1", {"epochs": 2}, {"dice": run}).splitlines()[-1]
    assert row.count("| - ") == 3
