"""The documentation says what the code does. `python -m tests.test_docs` writes the generated part of cli.md anew."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from atrous.bundle.layout import MANIFEST, REQUIRED_FILES
from atrous.bundle.manifest import Manifest
from atrous.cli.main import app
from atrous.core.errors import AtrousError
from atrous.datasets.augmentation.steps import AUGMENTATIONS
from atrous.datasets.exports import EXPORTS
from atrous.datasets.findings import WARNINGS, Finding, Kind
from atrous.datasets.fixes import Fix
from atrous.datasets.formats import FORMATS
from atrous.datasets.version_settings import (
    CONTRAST_TYPES,
    PREPROCESSING_KEYS,
    RESIZE_FORMATS,
    ContrastStep,
    CropStep,
    Outputs,
    Percent,
    Resize,
    TileStep,
)
from atrous.evaluation.score_warnings import Kind as WarningKind
from atrous.server.routes import ROUTES
from atrous.server.settings import OPTIONS, Settings
from atrous.training.recipe import Recipe
from atrous.worker.jobs import JOBS
from atrous.workspace.import_report import ImportReport
from atrous.workspace.records import Scope
from atrous.workspace.roboql import FIELDS, ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CLI_PAGE = DOCS / "reference" / "cli.md"
FORMATS_PAGE = DOCS / "reference" / "dataset-formats.md"
FINDINGS_PAGE = DOCS / "reference" / "findings.md"
SETTINGS_PAGE = DOCS / "reference" / "version-settings.md"
PREPROCESSING_STEPS: dict[str, type[Any]] = {
    "resize": Resize,
    "static-crop": CropStep,
    "tile": TileStep,
    "contrast": ContrastStep,
    "filter-null": Percent,
    "random-sample": Percent,
}
EXPORT_CELLS = 3  # of a row: the format, its layout, what it cannot say
MARKER = "<!-- What follows is written by `python -m tests.test_docs`. -->"
WIDTH = 100

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")),
        *DOCS.rglob("*.md"),
    ]
)
every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# What a path of this repository starts with; anything else in code may be a path of the reader's.
PATH = re.compile(r"^(?:\./)?((?:src|docs|tests|examples|scripts|benchmarks)/[\w./*-]*|\.ci/run|\.importlinter)$")
COMMAND_END = re.compile(r"^(?:[|&;)]+|\d*[<>].*)$")
METHODS = ("`GET ", "`POST ", "`PUT ", "`PATCH ", "`DELETE ")
# Set beside the recipe's other choices, but by no option.
WITHOUT_OPTION = {"warmup_share", "poly_power"}


def test_the_command_reference_is_what_the_commands_say() -> None:
    page = CLI_PAGE.read_text(encoding="utf-8")
    assert page == write_cli_page(page), "run `python -m tests.test_docs` and commit the page"


@every_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in find_links(page) if not leads_somewhere(page, link)]
    assert not broken


@every_page
def test_paths_of_the_repository_exist(page: Path) -> None:
    paths = [match[1] for match in map(PATH.match, find_code_words(page)) if match]
    assert not [path for path in paths if not list(ROOT.glob(path.rstrip("/")))]


@every_page
def test_shown_commands_can_be_parsed(page: Path) -> None:
    for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "sh":
            for words in find_commands(text):
                command, rest = find_command(words)
                command.make_context("atrous", rest)


@every_page
def test_mentioned_commands_and_options_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for code in INLINE_CODE.findall(text):
        for words in find_commands(code):
            command, rest = find_command(words)
            known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
            asked = {word.split("=")[0] for word in rest if word.startswith("--")}
            assert asked <= known | {"--help"}, code


def test_every_setting_is_described_with_its_default() -> None:
    rows = read_rows(DOCS / "reference" / "settings.md")
    fields = {field.name: field.default for field in dataclasses.fields(Settings)}
    assert set(fields) == {field for field, _ in OPTIONS.values()}
    for name, (field, _) in OPTIONS.items():
        default = _write_default(fields[field])
        cells = next((row for row in rows if row[0] == f"`{name}`"), [])
        assert cells[1:3] == [f"`ATROUS_{name.upper()}`", f"`{default}`"], name


def _write_default(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default) if default not in {"", ()} else "none"


def test_every_variable_of_a_command_is_described() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    variables = {param.envvar for _, command in walk_commands() for param in command.params if param.envvar}
    assert not [variable for variable in sorted(variables | {"ATROUS_HOME"}) if f"`{variable}`" not in page]


def test_every_error_is_listed_with_its_status_and_exit_code() -> None:
    rows = [row[:3] for row in read_rows(DOCS / "reference" / "errors.md")]
    expected = [[f"`{kind.__name__}`", str(kind.status), str(kind.exit_code)] for kind in find_errors(AtrousError)]
    assert not [row for row in expected if row not in rows]
    named = {row[0] for row in rows if row[0].endswith("Error`")}
    assert named == {row[0] for row in expected}


def test_every_route_is_listed() -> None:
    listed = {row[0] for row in read_rows(DOCS / "reference" / "http-api.md")}
    routes = [route for router in ROUTES for route in router.routes if getattr(route, "include_in_schema", True)]
    served = {f"`{method} {route.path}`" for route in routes for method in route.methods}
    assert served <= listed
    assert {row for row in listed if row.startswith(METHODS)} == served


def test_every_format_is_described() -> None:
    for page in (ROOT / "README.md", FORMATS_PAGE):
        text = page.read_text(encoding="utf-8")
        assert not [name for name in FORMATS if f"`{name}`" not in text]
    assert set(FORMATS) <= find_anchors(FORMATS_PAGE)


def test_every_export_is_described_with_what_it_cannot_say() -> None:
    rows = {row[0]: row for row in read_rows(FORMATS_PAGE) if len(row) == EXPORT_CELLS}
    assert not [name for name in EXPORTS if not all(rows.get(f"`{name}`", [""]))]


def test_every_kind_of_finding_is_described_with_what_follows() -> None:
    told = {row[0]: row[1] for row in read_rows(FINDINGS_PAGE) if row[1] in {"left out", "look at it"}}
    assert told == {f"`{kind}`": "look at it" if kind in WARNINGS else "left out" for kind in Kind}


def test_every_kind_of_warning_about_scores_is_described() -> None:
    told = {row[0] for row in read_rows(DOCS / "reference" / "report.md")}
    assert not [kind for kind in WarningKind if f"`{kind}`" not in told]


def test_every_fix_is_described() -> None:
    described = {row[0] for row in read_rows(FINDINGS_PAGE)}
    assert not [fix for fix in Fix if f"`{fix}`" not in described]


def test_every_key_of_an_import_report_is_described() -> None:
    described = {name for row in read_rows(FINDINGS_PAGE) for name in INLINE_CODE.findall(row[0])}
    report = ImportReport("road", "coco", (), False, {}, 0, (), (), {}, {}, {}, ())
    finding = Finding(Kind.NO_LABEL, "a.jpg", "has no mask", "add it")
    assert report.as_json().keys() | finding.as_json().keys() <= described


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in find_links(index)}
    assert not [page.name for page in DOCS.rglob("*.md") if page != index and page not in listed]


def test_every_file_of_a_bundle_and_key_of_its_manifest_is_described() -> None:
    text = (DOCS / "reference" / "bundle.md").read_text(encoding="utf-8")
    names = [*REQUIRED_FILES, MANIFEST, *(field.name for field in dataclasses.fields(Manifest))]
    assert not [name for name in names if f"`{name}`" not in text]


def test_every_choice_of_a_training_is_described_with_its_default() -> None:
    rows = read_rows(DOCS / "how-to" / "train.md")
    told = {}
    for row in rows:
        told.update(zip(INLINE_CODE.findall(row[0]), INLINE_CODE.findall(row[1]), strict=False))
    defaults = {f"--{field.name.replace('_', '-')}": str(field.default) for field in dataclasses.fields(Recipe)}
    for name in WITHOUT_OPTION:
        defaults.pop(f"--{name.replace('_', '-')}")
    assert {option: value for option, value in told.items() if option.startswith("--")} == defaults


def test_every_setting_of_a_version_is_described_with_its_limits() -> None:
    told = {row[0]: row[1] for row in read_rows(SETTINGS_PAGE)}
    for name in PREPROCESSING_KEYS:
        assert f"`{name}`" in told, name
    for name, step in (PREPROCESSING_STEPS | AUGMENTATIONS | {"image": Outputs}).items():
        assert told[f"`{name}`"] == write_fields(step), name


def test_every_word_for_a_resize_or_contrast_is_described() -> None:
    told = {row[0] for row in read_rows(SETTINGS_PAGE)}
    assert not [word for word in (*RESIZE_FORMATS, *CONTRAST_TYPES) if f"`{word}`" not in told]


def test_every_field_and_order_of_a_search_is_described() -> None:
    told = {word for row in read_rows(DOCS / "how-to" / "search.md") for word in INLINE_CODE.findall(row[0])}
    assert {word.partition(":")[0] for word in told} >= FIELDS.keys()
    assert {f"sort:{word}" for word in ORDERS} <= told


def test_every_kind_of_job_is_described() -> None:
    told = {row[0] for row in read_rows(DOCS / "how-to" / "run-workers.md")}
    assert not [kind for kind in JOBS if f"`{kind}`" not in told]


def test_every_scope_is_described() -> None:
    told = {row[0] for row in read_rows(DOCS / "how-to" / "manage-keys.md")}
    assert not [scope for scope in Scope if f"`{scope}`" not in told]


def test_json_examples_are_json() -> None:
    for page in PAGES:
        for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "json":
                json.loads(text)


# The command reference


def write_cli_page(page: str) -> str:
    """What a person wrote above the marker, then each command as it describes itself."""
    blocks = [f"## {name}\n\n```text\n{describe(name, command)}\n```" for name, command in walk_commands()]
    return "\n\n".join([page.split(MARKER, maxsplit=1)[0].rstrip(), MARKER, *blocks]) + "\n"


def walk_commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups before what is in them."""
    yield from _walk("atrous", typer.main.get_command(app))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, inner in _list_shown(command).items():
        yield from _walk(f"{name} {word}", inner)


def _list_shown(command: Any) -> dict[str, Any]:
    """The commands in a group by name, but those that help leaves out."""
    return {word: inner for word, inner in getattr(command, "commands", {}).items() if not inner.hidden}


def describe(name: str, command: Any) -> str:
    """A command's usage, help, arguments and options; made here, since the look of `--help` changes with typer."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    # The two that install shell completion depend on the shell that runs this.
    options = [
        param for param in command.params if param.param_type_name == "option" and "completion" not in param.name
    ]
    inner = _list_shown(command)
    usage = [name, "[OPTIONS]", *(_metavar(argument) for argument in arguments), *(["COMMAND"] if inner else [])]
    paragraphs = [" ".join(usage), *(_wrap(part) for part in _plain(command.help).split("\n\n"))]
    for title, rows in (
        ("Commands:", [(word, _plain(one.help).split("\n\n")[0]) for word, one in inner.items()]),
        ("Arguments:", [(_metavar(argument), _explain(argument)) for argument in arguments]),
        ("Options:", [(_flags(option), _explain(option)) for option in options]),
    ):
        if rows:
            paragraphs.append("\n".join([title, *(_row(rows, *row) for row in rows)]))
    return "\n\n".join(paragraphs)


def _metavar(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def _flags(option: Any) -> str:
    return " / ".join(filter(None, (", ".join(option.opts), ", ".join(option.secondary_opts))))


def _explain(param: Any) -> str:
    default = getattr(param.default, "value", param.default)
    facts = [
        f"[default: {default}]" if isinstance(default, str | int | float | Path) and default is not False else "",
        "[required]" if param.required else "",
        f"[variable: {param.envvar}]" if param.envvar else "",
    ]
    return " ".join(filter(None, (" ".join(_plain(param.help or "").split()), *facts)))


def _row(rows: list[tuple[str, str]], name: str, text: str) -> str:
    start = "  " + name.ljust(2 + max(len(first) for first, _ in rows))
    return textwrap.fill(start + text, WIDTH, subsequent_indent=" " * len(start), break_on_hyphens=False)


def _wrap(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False)


def _plain(text: str | None) -> str:
    """Help without the backslashes that keep square brackets from being taken for colours."""
    return inspect.cleandoc(text or "").replace("\\[", "[")


# Reading pages


def find_commands(text: str) -> Iterator[list[str]]:
    """The words after each `atrous` that stands for the command, lines that end in a backslash joined."""
    for line in text.replace("\\\n", " ").splitlines():
        for start in re.finditer(r"(?:^|(?<=[\s(/]))atrous(?= )", line):
            words = shlex.split(line[start.end() :].replace(")", " ) "), comments=True)
            end = next((place for place, word in enumerate(words) if COMMAND_END.match(word)), len(words))
            if words[:end] and words[0] != "…":
                yield words[:end]


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and the words that are left for it."""
    command, place = typer.main.get_command(app), 0
    while place < len(words) and hasattr(command, "commands") and not words[place].startswith("-"):
        assert words[place] in command.commands, f"atrous {' '.join(words)}: no command {words[place]}"
        command, place = command.commands[words[place]], place + 1
    return command, words[place:]


def find_links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if not link.startswith(("http://", "https://"))]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or anchor in find_anchors(target)


def find_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find_code_words(page: Path) -> list[str]:
    """Words of code, in blocks and in sentences."""
    text = page.read_text(encoding="utf-8")
    code = [block for _, block in FENCE.findall(text)] + INLINE_CODE.findall(FENCE.sub("", text))
    return [word for part in code for word in part.split()]


def write_fields(step: type[Any]) -> str:
    """The fields of a step of a version's settings with their limits, as the table of settings has them."""
    return ", ".join(_write_field(field) for field in dataclasses.fields(step))


def _write_field(field: dataclasses.Field[Any]) -> str:
    name = field.metadata["key"] or field.name
    limits = getattr(field.metadata["read"], "keywords", {})
    if "least" in limits:
        return f"`{name}` {limits['least']:g} to {limits['most']:g}"
    return f"`{name}` {'one of the words below' if limits else 'true or false'}"


def read_rows(page: Path) -> list[list[str]]:
    """Cells of all tables."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def find_errors(kind: type[AtrousError]) -> Iterator[type[AtrousError]]:
    """A class and all that are made of it, in what serving and the command line import."""
    if kind.__module__.startswith("atrous."):
        yield kind
    for one in kind.__subclasses__():
        yield from find_errors(one)


if __name__ == "__main__":
    CLI_PAGE.write_text(write_cli_page(CLI_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
