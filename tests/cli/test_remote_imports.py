"""`atrous import --api-url`: a server imports what is sent to it; the worker's part is done in a thread here."""

from __future__ import annotations

import json
import threading
import time
import zipfile
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import Said, Server
from tests.datasets.generated import draw_scenes, write_jpeg

from atrous.adapters.home import open_home
from atrous.core.errors import AtrousError
from atrous.worker.imports import import_zip
from atrous.worker.watch import SilentWatch
from atrous.workspace.records import JobKind, JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from atrous.workspace.ports import Ports


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("platform") / "home"


@pytest.fixture(scope="module")
def platform(empty_home: Path) -> Iterator[Server]:
    with Server(empty_home) as running:
        yield running


@pytest.fixture
def send(platform: Server, atrous: Callable[..., Said], empty_home: Path) -> Iterator[Callable[..., Said]]:
    """Import through the server, with the first key that it printed."""

    def run(*arguments: object) -> Said:
        return atrous("import", *arguments, "--api-url", platform.url, "--api-key", platform.key)

    with working(empty_home):
        yield run


@contextmanager
def working(home: Path) -> Iterator[None]:
    is_over = threading.Event()
    thread = threading.Thread(target=work, args=(open_home(home), home.parent, is_over))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def work(ports: Ports, folder: Path, is_over: threading.Event) -> None:
    while not is_over.is_set():
        now = ports.clock.now()
        job = ports.queue.claim_job("w", [JobKind.IMPORT], now, now + timedelta(minutes=5))
        if job is None:
            time.sleep(0.02)
            continue
        state, result, error = JobState.DONE, None, None
        try:
            result = import_zip(ports, job, folder / job.id, SilentWatch())
        except AtrousError as raised:
            state, error = JobState.FAILED, str(raised)
        ports.queue.end_job(job.id, "w", state, ports.clock.now(), result=result, error=error)


def masks_of(home: Path, project: str) -> dict[str, str | None]:
    ports = open_home(home)
    (workspace,) = ports.store.list_workspaces()
    return {picture.name: picture.mask_sha256 for picture in ports.store.list_pictures(workspace, project)}


def test_a_folder_sent_to_a_server_says_and_gives_what_an_import_here_does(
    send: Callable[..., Said], atrous: Callable[..., Said], home: Path, empty_home: Path, dataset: Path
) -> None:
    here = atrous("import", dataset, "--project", "road", "--report", "here.json")
    there = send(dataset, "--project", "road", "--report", "there.json")
    assert (there.code, there.out) == (0, here.out)
    written = [json.loads((home.parent / name).read_text()) for name in ("here.json", "there.json")]
    assert written[0] == written[1]
    assert masks_of(empty_home, "road") == masks_of(home, "road")
    assert "known already: 5" in send(dataset, "--project", "road").out


def test_an_archive_is_sent_as_it_is(send: Callable[..., Said], empty_home: Path, dataset: Path, home: Path) -> None:
    path = home.parent / "d.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(dataset.rglob("*")):
            archive.write(file, file.relative_to(dataset.parent))
    said = send(path, "--project", "zipped")
    assert (said.code, "imported: 3 train, 1 valid, 1 test" in said.out) == (0, True)
    assert all(masks_of(empty_home, "zipped").values())


def test_the_exit_codes_are_those_of_an_import_here(
    send: Callable[..., Said], atrous: Callable[..., Said], platform: Server, dataset: Path, home: Path
) -> None:
    mask = next((dataset / "train" / "masks").iterdir())
    mask.write_bytes(mask.read_bytes()[:50])
    strict = send(dataset, "--project", "strict", "--strict")
    assert (strict.code, "--strict imported nothing" in strict.error) == (2, True)
    assert send(home.parent / "nothing", "--project", "road").code == 2
    (home.parent / "empty").mkdir()
    nothing = send(home.parent / "empty", "--project", "road")
    assert (nothing.code, "could not import" in nothing.error) == (2, True)
    assert send(dataset, "--project", "road", "--classes", "c.csv").code == 2
    wrong = atrous("import", dataset, "--project", "road", "--api-url", platform.url, "--api-key", "wrong")
    assert wrong.code == 4
    assert atrous("import", dataset, "--project", "road", "--api-url", "http://127.0.0.1:9").code == 6
    assert atrous("import", dataset, "--project", "road", "--api-url", "nonsense").code == 2


def test_pictures_without_labels_are_taken_only_if_asked_for(atrous: Callable[..., Said], home: Path) -> None:
    folder = home.parent / "bare"
    for scene in draw_scenes():
        write_jpeg(folder / scene.split / f"{scene.stem}.jpg", scene.image_HWC)
    refused = atrous("import", folder, "--project", "road")
    assert (refused.code, "no known dataset format" in refused.error) == (2, True)
    taken = atrous("import", folder, "--project", "road", "--unlabelled")
    assert taken.code == 0
    assert "imported: 3 train, 1 valid, 1 test (5 unlabelled)" in taken.out
    assert list(masks_of(home, "road").values()) == [None] * 5
