"""What a deployment's process is given, and how much of its log is held."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from tests.fakes.ports import FakeClock

from atrous.server.settings import read_settings
from atrous.worker.deployments.launch import plan_launch
from atrous.worker.deployments.log_lines import MAX_LINE_BYTES, MAX_LINES, LogLines, read_lines
from atrous.worker.deployments.shares import Shares
from atrous.workspace.deployment import Deployment
from atrous.workspace.machine_types import MachineType

ROW = Deployment("road-cam", "acme", "small", "", datetime(2026, 1, 1, tzinfo=UTC), ("road/1",))


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def test_a_launch_says_all_that_its_server_has_to_know_in_settings_that_exist() -> None:
    machine = MachineType("small", "", threads=2, memory_bytes=2**30, gpus=1, max_waiting=5, concurrency=3)
    launch = plan_launch(
        ROW, machine, host="10.0.0.5", options={"auth": "off", "precision": "int8"}, cores=(2, 3), gpus=(1,)
    )
    given = json.loads(launch.command[launch.command.index("--settings") + 1])
    config = {"server": {"preload_models": ["other/1"], "port": 9001, "max_waiting": 1}}
    settings = read_settings({}, config, given)
    assert (settings.deployment, settings.only_workspace) == ("road-cam", "acme")
    assert (settings.host, settings.port, settings.auth_required) == ("10.0.0.5", 0, False)
    assert (settings.preload_models, settings.precision) == (("road/1",), "int8")
    assert (settings.threads, settings.memory_bytes) == (2, 2**30)
    assert (settings.max_waiting, settings.concurrency) == (5, 3)
    assert (launch.cores, launch.environment) == ((2, 3), {"CUDA_VISIBLE_DEVICES": "1"})


def test_a_launch_without_models_or_limits_pins_nothing_and_leaves_the_servers_own() -> None:
    bare = Deployment("road-cam", "acme", "small", "", ROW.created)
    launch = plan_launch(bare, MachineType("small", "", 1, 2**30), host="h", options={}, cores=(), gpus=())
    given = json.loads(launch.command[launch.command.index("--settings") + 1])
    settings = read_settings({}, {"server": {"preload_models": ["other/1"], "max_waiting": 7}}, given)
    assert (settings.preload_models, settings.max_waiting) == ((), 7)
    assert launch.environment == {"CUDA_VISIBLE_DEVICES": ""}


def test_deployments_share_as_few_cores_as_can_be() -> None:
    cores = Shares(range(4))
    assert cores.lend("a", 2) == (2, 3)
    assert cores.lend("b", 1) == (1,)
    assert cores.lend("a", 2) == (2, 3)
    assert cores.lend("c", 2) == (0, 3)
    cores.give_back("a")
    assert cores.lend("d", 1) == (2,)
    assert cores.lend("e", 9) == (0, 1, 2, 3)
    assert cores.lend("f", 0) == ()


def test_lines_have_ids_in_their_order_whatever_the_clock_does() -> None:
    lines = LogLines(StoppedClock())
    for number in range(20):
        lines.add(str(number))
    entries = lines.take()
    assert [entry.payload for entry in sorted(entries, key=lambda entry: entry.insert_id)] == [
        str(number) for number in range(20)
    ]
    assert lines.take() == []


def test_of_a_flood_of_lines_the_newest_are_held_and_the_rest_is_counted() -> None:
    lines = LogLines(FakeClock())
    for number in range(MAX_LINES + 5):
        lines.add(str(number))
    entries = lines.take()
    assert [entries[0].payload, entries[-2].payload] == ["5", str(MAX_LINES + 4)]
    assert entries[-1].payload == "lines that were dropped here, as they came too fast: 5"


def test_lines_that_could_not_be_written_come_again_before_newer_ones() -> None:
    lines = LogLines(FakeClock())
    lines.add("first")
    taken = lines.take()
    lines.add("second")
    lines.put_back(taken)
    assert [entry.payload for entry in lines.take()] == ["first", "second"]
    for _ in range(MAX_LINES):
        lines.add("x")
    lines.put_back(taken)
    assert lines.take()[-1].payload == "lines that were dropped here, as they came too fast: 1"


def test_lines_are_read_without_nul_and_in_parts_where_they_are_long() -> None:
    pipe = io.BytesIO(b"a\0b\n\n\xff\n" + b"c" * (MAX_LINE_BYTES + 1))
    assert list(read_lines(pipe)) == ["ab", "\ufffd", "c" * MAX_LINE_BYTES, "c"]
