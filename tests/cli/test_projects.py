"""From a dataset folder to a version: `import`, `version`, `project`, `model`."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import publish, run_process
from tests.datasets.generated import GENERATORS

from atrous.adapters.home import open_home
from atrous.bundle.preprocessing import Fit
from atrous.core.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said


def test_a_dataset_becomes_a_version_that_is_listed(atrous: Callable[..., Said], home: Path, dataset: Path) -> None:
    imported = atrous("import", dataset, "--project", "road")
    assert imported.code == 0
    assert "imported: 3 train, 1 valid, 1 test; known already: 0; left out: 0" in imported.out
    assert "atrous version create road" in imported.err
    created = atrous("version", "create", "road", "--resize", "64x48", "--fit", "letterbox-grey")
    assert (created.code, created.out) == (0, "road/1\n")
    version = open_home(home).store.find_version("main", "road", 1)
    assert version is not None
    assert version.preprocessing.size == Size(height=48, width=64)
    assert version.preprocessing.fit is Fit.LETTERBOX_GREY
    projects = atrous("project", "list")
    assert projects.code == 0
    assert atrous("projects", "list") == projects
    assert "road" in projects.out
    assert "background" in projects.out
    versions = atrous("version", "list", "road")
    assert versions.code == 0
    for fact in ("road/1", "64x48", version.content_sha256[:6]):
        assert fact in versions.out


@pytest.mark.parametrize("format_name", GENERATORS)
def test_a_format_may_be_named(atrous: Callable[..., Said], home: Path, tmp_path: Path, format_name: str) -> None:
    GENERATORS[format_name].write(tmp_path / "streets")
    assert atrous("import", tmp_path / "streets", "--project", "road", "--format", format_name).code == 0
    assert len(open_home(home).store.list_pictures("main", "road")) == 5


def test_a_project_is_made_deleted_and_restored(atrous: Callable[..., Said], home: Path) -> None:
    made = atrous("project", "create", "Street Scenes", "--license", "MIT")
    assert (made.code, made.out) == (0, "street-scenes\n")
    deleted = atrous("project", "delete", "street-scenes")
    assert deleted.code == 0
    assert "30 days" in deleted.err
    assert "street-scenes" not in atrous("project", "list").out
    assert "street-scenes" in atrous("project", "list", "--trash").out
    assert atrous("project", "delete", "street-scenes").code == 3
    assert atrous("project", "restore", "street-scenes").code == 0
    (project,) = open_home(home).store.list_projects("main")
    assert (project.slug, project.name, project.license) == ("street-scenes", "Street Scenes", "MIT")
    assert atrous("project", "restore", "street-scenes").code == 3


def test_importing_again_adds_nothing(atrous: Callable[..., Said], dataset: Path) -> None:
    atrous("import", dataset, "--project", "road")
    again = atrous("import", dataset, "--project", "road")
    assert again.code == 0
    assert "imported: 0 train, 0 valid, 0 test; known already: 5" in again.out


def test_a_picture_that_cannot_be_used_is_named_and_left_out(atrous: Callable[..., Said], dataset: Path) -> None:
    picture = next((dataset / "train" / "images").iterdir())
    picture.write_bytes(b"no picture")
    imported = atrous("import", dataset, "--project", "road", "--report", "report.json")
    assert imported.code == 0
    assert "left out: 1" in imported.out
    assert picture.name in imported.out
    with open("report.json", encoding="utf-8") as file:  # noqa: PTH123  (relative to the working folder, as a person writes it)
        (finding,) = json.load(file)["findings"]
    assert finding["file"].endswith(picture.name)


def test_a_report_that_cannot_be_written_is_a_sentence(atrous: Callable[..., Said], dataset: Path) -> None:
    said = atrous("import", dataset, "--project", "road", "--report", "nowhere/report.json")
    assert said.code == 2
    assert "nowhere/report.json: cannot be used (No such file or directory)" in said.error


@pytest.mark.parametrize("name", ["nothing", "empty", "notes.txt", "letters"])
def test_what_is_no_dataset_is_refused_by_name(atrous: Callable[..., Said], tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("a")
    said = atrous("import", tmp_path / name, "--project", "road")
    assert said.code == 2
    assert name in said.error
    assert atrous("version", "create", "road").code == 3, "no project was made"


@pytest.mark.parametrize("project", ["Road", "a b", "", "infer", "[/]"])
def test_a_project_needs_a_slug(atrous: Callable[..., Said], dataset: Path, project: str) -> None:
    said = atrous("import", dataset, "--project", project)
    assert said.code == 2
    assert repr(project) in said.error


def test_an_unknown_format_is_refused_with_the_known_ones(atrous: Callable[..., Said], dataset: Path) -> None:
    said = atrous("import", dataset, "--project", "road", "--format", "nrrd")
    assert said.code == 2
    assert "png-masks" in said.error


@pytest.mark.parametrize("command", ["create", "list"])
@pytest.mark.parametrize("project", ["sea", "[/]"])
def test_an_unknown_project_is_not_found(atrous: Callable[..., Said], command: str, project: str) -> None:
    said = atrous("version", command, project)
    assert said.code == 3
    assert f"project {project!r}: does not exist" in said.error


@pytest.mark.parametrize("size", ["big", "0x5", "64x", "9999x9999"])
def test_a_bad_size_is_refused_and_takes_no_number(
    atrous: Callable[..., Said], home: Path, dataset: Path, size: str
) -> None:
    atrous("import", dataset, "--project", "road")
    said = atrous("version", "create", "road", "--resize", size)
    assert said.code == 2
    assert repr(size) in said.error
    assert open_home(home).store.list_versions("main", "road") == []


def test_an_unknown_fit_is_refused_with_the_known_ones(atrous: Callable[..., Said]) -> None:
    said = atrous("version", "create", "road", "--fit", "squeeze")
    assert said.code == 2
    assert "letterbox-grey" in said.err


def test_lists_of_nothing_are_empty(atrous: Callable[..., Said]) -> None:
    for noun in ("project", "model", "key"):
        assert atrous(noun, "list").code == 0


def test_models_are_listed_with_both_ids_and_scores(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    listed = atrous("model", "list")
    assert listed.code == 0
    for fact in ("road/1", "road-1-t1", "75.0 %", "n/a"):
        assert fact in listed.out


def test_a_model_is_scored_on_the_pictures_of_its_version(
    atrous: Callable[..., Said], home: Path, dataset: Path, tmp_path: Path
) -> None:
    atrous("import", dataset, "--project", "road")
    atrous("version", "create", "road", "--resize", "64x64")
    publish(home, class_names=("background", "road", "sign"))
    said = atrous("evaluate", "road/1", "--split", "test", "--out", "scores")
    assert said.code == 0
    assert "plain winner: mIoU" in said.out
    report = json.loads((tmp_path / "scores" / "report.json").read_text(encoding="utf-8"))
    assert "road/1" in json.dumps(report)
    assert "road" in (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["evaluate", "road/1"], 3),
        (["evaluate", "road"], 2),
        (["train", "road/1"], 3),
        (["train", "road"], 2),
        (["train", "main/road-1-t1"], 2),
        (["train", f"road/{10**20}"], 3),
        (["train", "road/1", "--resume"], 3),
        (["infer", "road/1", "here.jpg"], 3),
        (["project", "list", "--workspace", "nobody"], 3),
        (["key", "revoke", "0000"], 3),
    ],
    ids=str,
)
def test_what_is_unknown_or_misspelt_ends_with_a_sentence(
    atrous: Callable[..., Said], tmp_path: Path, arguments: list[str], code: int
) -> None:
    (tmp_path / "here.jpg").write_bytes(b"")
    said = atrous(*arguments)
    assert said.code == code
    assert said.out == ""
    assert said.error


def test_the_version_is_told(atrous: Callable[..., Said]) -> None:
    from atrous import __version__

    assert atrous("--version").out == f"atrous {__version__}\n"


# As a process


def test_a_process_ends_with_the_errors_code_and_one_line(tmp_path: Path) -> None:
    said = run_process(tmp_path / "home", "version", "create", "sea")
    assert said.code == 3
    assert said.out == ""
    assert said.err == "error: project 'sea': does not exist; `atrous import PATH --project sea` makes it\n"


@pytest.mark.parametrize("damage", [b"no database " * 100, b""], ids=["garbage", "a file in the way"])
def test_a_home_that_cannot_be_used_is_named(tmp_path: Path, damage: bytes) -> None:
    home = tmp_path / "home"
    if damage:
        home.mkdir()
        (home / "atrous.db").write_bytes(damage)
    else:
        home.write_text("in the way")
    said = run_process(home, "project", "list")
    assert said.code in (2, 8)
    assert str(home) in said.error
    assert len(said.err.splitlines()) == 1


def test_a_full_disk_is_a_sentence_and_what_was_there_stays(
    atrous: Callable[..., Said], home: Path, dataset: Path
) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are POSIX's")
    atrous("project", "list")
    size = (home / "atrous.db").stat().st_size

    def fill() -> None:
        # No file may grow past this: the database's log least of all.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 8, size // 8))

    said = run_process(home, "import", str(dataset), "--project", "road", preexec_fn=fill)
    assert said.code == 8
    assert "free space" in said.error
    assert "Traceback" not in said.err
    again = atrous("import", dataset, "--project", "road")
    assert again.code == 0, again.err
    assert "imported: 3 train, 1 valid, 1 test" in again.out


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    import sys

    from tests.cli.terminal import environment

    process = subprocess.Popen(
        [sys.executable, "-m", "atrous", "--help"],
        env=environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, problems = process.communicate(timeout=30)
    assert "Traceback" not in problems
