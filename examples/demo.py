"""The whole road once: scenes are drawn (or your folder is taken), imported, trained on, scored, served and asked."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atrous.adapters.home import open_home
from atrous.core.ids import parse_version_id
from atrous.datasets.splits import Split
from atrous.workspace.versions import find_version, list_samples
from atrous.workspace.workspaces import ensure_first_workspace

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "demo"
VERSION = f"{PROJECT}/1"
MARKER = ".made-by-demo"
READY_TIMEOUT_S = 60

# Chosen by measurement for two cores: what reaches the best mIoU on the drawn scenes in two minutes.
SCENES = ["--train", "400", "--valid", "24", "--test", "40", "--seed", "7"]
DRAWN_SIZE = "256x192"
DRAWN_RECIPE = [
    *("--encoder", "tu-resnet10t", "--encoder-depth", "4", "--decoder-channels", "128", "--dropout", "0.1"),
    *("--epochs", "12", "--batch-size", "4", "--lr", "3e-3", "--class-weights", "none", "--validate-every", "5"),
    *("--scale-min", "0.9", "--scale-max", "1.1", "--colour-jitter", "0.1"),
]
OWN_SIZE = "320x320"
OWN_RECIPE = ["--encoder", "mobilenet_v2", "--epochs", "20"]


@dataclass(frozen=True)
class Server:
    """A running server of the demo's own."""

    pid: int
    url: str


def main() -> int:
    """Walk the road; give the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="?", type=Path, help="your own dataset instead of drawn scenes")
    parser.add_argument("--out", type=Path, default=ROOT / "demo-out", help="folder for everything the demo makes")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    given = parser.parse_args()
    started = time.monotonic()
    out = fresh_folder(given.out)
    environment = os.environ | {"ATROUS_HOME": str(out / "home")}
    dataset = given.dataset or draw_scenes(out / "scenes")
    size, recipe = (OWN_SIZE, OWN_RECIPE) if given.dataset else (DRAWN_SIZE, DRAWN_RECIPE)

    atrous(environment, "import", str(dataset), "--project", PROJECT)
    atrous(environment, "version", "create", PROJECT, "--resize", size)
    atrous(environment, "train", VERSION, "--encoder-weights", "none", *recipe, *quickest_precision())
    split, picture = choose_picture(Path(environment["ATROUS_HOME"]), out)
    atrous(environment, "evaluate", VERSION, "--split", split, "--out", str(out / "report"))
    key = atrous(environment, "key", "create", "--name", "demo", quiet=True).split()[-1]
    with serve(environment, keep=given.keep) as server:
        ask(server.url, key, picture, out / "annotated.png")
    report = json.loads((out / "report" / "report.json").read_text())
    say(f"done in {time.monotonic() - started:.0f} s")
    print(f"mIoU {report['plain']['mean_iou']:.2f} on {report['picture_count']} {split} pictures, plain winner")
    print(f"annotated picture: {out / 'annotated.png'}")
    print(f"report:            {out / 'report' / 'report.html'}")
    print_next(out, server if given.keep else None, key)
    return 0


def fresh_folder(folder: Path) -> Path:
    """An empty folder; only what an earlier demo made is removed for it."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise SystemExit(f"error: {folder}: is not empty and was not made by the demo; name another with --out")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    return folder.resolve()


def draw_scenes(folder: Path) -> Path:
    """Draw street scenes with exact label masks."""
    say("drawing street scenes")
    run([sys.executable, str(ROOT / "examples" / "street_scenes"), str(folder), *SCENES], dict(os.environ))
    return folder


def quickest_precision() -> list[str]:
    """Half precision where the CPU computes in it, or a GPU does; anywhere else it would be slower."""
    cpu = Path("/proc/cpuinfo")
    has_bf16 = (cpu.is_file() and "avx512_bf16" in cpu.read_text()) or shutil.which("nvidia-smi") is not None
    return ["--precision", "bf16-mixed" if has_bf16 else "32-true"]


def choose_picture(home: Path, out: Path) -> tuple[str, Path]:
    """The split to score on (test if there is one), and one of its pictures."""
    ports = open_home(home)
    version = find_version(ports, ensure_first_workspace(ports), parse_version_id(VERSION))
    split = Split.TEST if version.pictures[Split.TEST] else Split.VALID
    sample = next(sample for sample in list_samples(ports, version) if sample.split is split)
    picture = out / f"picture{Path(sample.name).suffix}"
    shutil.copyfile(sample.image_path, picture)
    return split.value, picture


@contextmanager
def serve(environment: dict[str, str], *, keep: bool) -> Iterator[Server]:
    """Start a server on a free port and wait until it is ready; end it afterwards, unless it is to be kept."""
    say("starting a server")
    log = Path(environment["ATROUS_HOME"]) / "server.log"
    command = [sys.executable, "-m", "atrous", "serve", "--port", "0"]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=keep)
    finished = False
    try:
        yield Server(process.pid, wait_until_ready(process, log))
        finished = True
    finally:
        if not (keep and finished):
            process.send_signal(signal.SIGTERM)
            process.wait(READY_TIMEOUT_S)


def wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """The server's address, once it says that it is ready."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        address = re.search(r"http://[\d.]+:\d+", log.read_text())
        if address and is_ready(address[0]):
            return address[0]
        time.sleep(0.1)
    raise SystemExit(f"error: the server did not become ready; its log is {log}")


def is_ready(url: str) -> bool:
    """Whether the server answers and is ready."""
    try:
        with urllib.request.urlopen(f"{url}/readiness", timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def ask(url: str, key: str, picture: Path, annotated: Path) -> None:
    """Let the real client ask, from an environment without Atrous."""
    say("asking it with inference-sdk and supervision")
    client = ROOT / ".venv-client" / "bin" / "python"
    command = [str(client), str(ROOT / "examples" / "client.py"), "--api-url", url, "--model-id", VERSION]
    run([*command, "--image", str(picture), "--out", str(annotated)], os.environ | {"API_KEY": key})


def atrous(environment: dict[str, str], *words: str, quiet: bool = False) -> str:
    """Run one command of Atrous; give what it printed if it is to be quiet."""
    if not quiet:
        say("atrous " + " ".join(words))
    return run([sys.executable, "-m", "atrous", *words], environment, quiet=quiet)


def run(command: list[str], environment: dict[str, str], *, quiet: bool = False) -> str:
    """Run a command to its end; end the demo if it fails."""
    pipe = subprocess.PIPE if quiet else None
    done = subprocess.run(command, env=environment, stdout=pipe, stderr=pipe, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stderr or ''}error: {' '.join(command[:6])} … ended with status {done.returncode}")
    return done.stdout or ""


def print_next(out: Path, server: Server | None, key: str) -> None:
    """The commands to go on with."""
    home = f"ATROUS_HOME={out / 'home'}"
    print("go on with:")
    if server:
        print(f"  the server runs at {server.url}, its key is {key}; end it with: kill {server.pid}")
    print(f"  {home} .venv/bin/atrous serve")
    print(f"  {home} .venv/bin/atrous infer {VERSION} PICTURE...")
    print("  ./scripts/demo FOLDER    (your own dataset)")


def say(text: str) -> None:
    """A step's headline."""
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
