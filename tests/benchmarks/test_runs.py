"""Each benchmark from its command line to its result, on next to nothing."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from benchmarks.callers import encode_body
from benchmarks.models import make_random_bundle
from benchmarks.photographs import read_photographs
from benchmarks.results import read_result
from benchmarks.serving import publish_bundle, serve
from tests.fakes.bundles import make_bundle

from benchmarks import against, answer, decode, everything, load, memory, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.results import Result
    from benchmarks.serving import Server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    return make_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def image(folder: Path) -> Path:
    file = folder / "street.png"
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    return file


@pytest.fixture(scope="module")
def server(folder: Path, bundle: Path) -> Iterator[Server]:
    publish_bundle(bundle, folder / "home")
    with serve(folder / "home") as server:
        yield server


def run(benchmark, target: Path, *arguments: object) -> Result:
    file = target / "result.json"
    assert benchmark.main([*map(str, arguments), "--json", str(file)]) == 0
    return read_result(file)


def test_a_deployment_is_timed_beside_itself_behind_the_proxy(tmp_path: Path, bundle: Path, image: Path) -> None:
    (row,) = run(proxy, tmp_path, "--bundle", bundle, "--image", image, "--repeat", 3).rows
    assert row["photograph"] == "64x48 street"
    assert row["ratio_p50"] == pytest.approx(row["proxy_p50_ms"] / row["direct_p50_ms"], abs=0.01)
    assert row["added_p50_ms"] == pytest.approx(row["proxy_p50_ms"] - row["direct_p50_ms"], abs=0.01)


def test_an_answer_is_timed_stage_by_stage(tmp_path: Path, bundle: Path, image: Path) -> None:
    result = run(answer, tmp_path, "--bundle", bundle, "--image", image, "--precision", "fp32", "--repeat", 2)
    (row,) = result.rows
    assert (row["photograph"], row["precision"]) == ("64x48 street", "fp32")
    stages_ms = [row[f"{stage}_ms"] for stage in ("picture", "prepare", "pass", "pixels", "png", "json")]
    assert all(time_ms > 0 for time_ms in stages_ms)
    assert max(stages_ms) <= row["answer_ms"]
    assert row["http_per_bare"] == pytest.approx(row["http_ms"] / row["bare_ms"], rel=0.1)


def test_running_servers_are_compared_with_the_last(tmp_path: Path, server: Server, image: Path) -> None:
    urls = ["--url", f"one={server.model_url}", "--url", f"two={server.model_url}"]
    result = run(against, tmp_path, *urls, "--image", image, "--repeat", 2, "--clients", 2, "--load", 4)
    one, two = result.rows
    assert (one["server"], two["server"]) == ("one", "two")
    assert (two["ratio"], two["gain"]) == (1, 1)
    assert one["ratio"] == pytest.approx(one["p50_ms"] / two["p50_ms"], rel=0.1)


def test_one_server_alone_is_not_compared(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert against.main(["--url", f"one={server.model_url}"]) == 2
    assert "one server cannot be compared" in capsys.readouterr().err


def test_each_number_of_clients_has_its_row(server: Server, image: Path) -> None:
    body = encode_body(read_photographs([image])[0])
    rows = load.run_steps(server, body, Namespace(clients=[1, 3], requests=4, limit=10))
    assert [(row["clients"], row["answered"]) for row in rows] == [(1, 4), (3, 12)]
    assert all(row["peak_mib"] >= row["rss_after_mib"] > 10 for row in rows)


def test_a_soak_tells_memory_as_it_goes(server: Server, image: Path) -> None:
    body = encode_body(read_photographs([image])[0])
    rows = load.run_soak(server, body, Namespace(soak=20))
    assert [row["requests"] for row in rows] == list(range(2, 21, 2))
    assert len({row["growth_mib_per_1000"] for row in rows}) == 1


def test_the_kernel_stands_beside_the_plain_way_where_that_fits(tmp_path: Path) -> None:
    result = run(decode, tmp_path, "--classes", 2, 40, "--size", "256x192", "--repeat", 1, "--max-gib", 0.001)
    few, many = result.rows
    assert few["gain"] > 0
    assert few["other_label_ppm"] <= 100
    assert many["kernel_ms"] > 0
    assert many["plain_ms"] is None


def test_everything_runs_each_benchmark_with_what_the_model_has(bundle: Path, image: Path) -> None:
    given = Namespace(bundle=bundle, image=[image], url=["peer=http://127.0.0.1:9/a/1"], precision=None, soak=50)
    commands = everything.list_commands(given)
    assert list(commands) == ["decode", "answer", "memory", "load", "refusals", "against", "soak"]
    assert "int8" not in commands["answer"]
    assert "--url" in commands["against"]
    assert "against" not in everything.list_commands(Namespace(**vars(given) | {"url": []}))


@pytest.mark.slow
def test_load_starts_a_server_of_its_own(tmp_path: Path, bundle: Path, image: Path) -> None:
    result = run(load, tmp_path, "--bundle", bundle, "--image", image, "--clients", 1, "--requests", 4)
    assert result.rows[0]["precision"] == "fp32"


@pytest.mark.slow
def test_memory_and_starts_are_measured(tmp_path: Path, bundle: Path, image: Path) -> None:
    result = run(memory, tmp_path, "--bundle", bundle, "--image", image, "--starts", 1)
    values = {row["what"]: row["value"] for row in result.rows}
    assert values["first answer ever"] > values["second answer"] > 0
    assert values["memory, idle"] < values["memory, peak with 8 clients"]


@pytest.mark.slow
def test_large_replies_of_several_machines_keep_nobody_waiting(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")
    file, bundle = tmp_path / "result.json", make_random_bundle(tmp_path / "bundle")
    asked = ["--replicas", "4", "--nodes", "2", "--requests", "40", "--kill-after", "0"]
    command = [sys.executable, "-m", "benchmarks.ray_serving", *asked, "--bundle", str(bundle), "--json", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    *_, row = read_result(file).rows
    assert row["answered"] == 160
    assert row["p99_ms"] < 8000, "a transfer that was called off is begun again after ten seconds"
