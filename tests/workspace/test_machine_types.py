from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atrous.adapters.host import count_gpus
from atrous.core.errors import InvalidInputError
from atrous.workspace.machine_types import (
    GIB,
    Machine,
    MachineType,
    describe_parts,
    find_shortage,
    read_fleet,
    read_size,
    subtract,
)

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = Machine(threads=8, memory_bytes=32 * GIB, gpus=1)
SMALL: dict[str, Any] = {"threads": 2, "memory": "2GiB"}


def test_a_type_is_what_its_table_says() -> None:
    written = {**SMALL, "gpu": 1, "description": "für Kameras", "max_waiting": 9, "concurrency": 3}
    fleet = read_fleet({"machine_types": {"cameras": written}}, MACHINE)
    assert fleet.types == {"cameras": MachineType("cameras", "für Kameras", 2, 2 * GIB, 1, 9, 3)}
    assert fleet.capacity == MACHINE


def test_the_capacity_may_be_another_one_than_the_machines() -> None:
    fleet = read_fleet({"capacity": {"threads": 64, "gpus": 4}}, MACHINE)
    assert fleet.capacity == Machine(64, 32 * GIB, 4)


@pytest.mark.parametrize(
    "machine",
    [MACHINE, Machine(1, GIB // 2, 0), Machine(2, 24 * GIB, 0), Machine(96, 512 * GIB, 8)],
    ids=describe_parts,
)
def test_without_types_there_are_some_that_fit(machine: Machine) -> None:
    fleet = read_fleet({}, machine)
    names = {"dev-cpu", "prod-cpu"} | ({"dev-gpu", "prod-gpu"} if machine.gpus else set())
    assert set(fleet.types) == set(fleet.list_fitting()) == names
    assert [one.gpus for one in fleet.types.values() if "gpu" in one.name] == [1] * (2 * bool(machine.gpus))


def test_a_type_that_is_larger_than_everything_fits_nowhere() -> None:
    large = {"threads": 2, "memory": "64GiB"}
    assert read_fleet({"machine_types": {"small": SMALL, "large": large}}, MACHINE).list_fitting() == ["small"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"machine_types": 3}, "'machine_types' must be a table"),
        ({"capacity": []}, "'capacity' must be a table"),
        ({"capacity": {"cores": 1}}, r"\[capacity\] cores: unknown; use one of threads, memory, gpus"),
        ({"capacity": {"threads": 0}}, r"\[capacity\] threads='0': must be a whole number from 1"),
        ({"machine_types": {"Big": SMALL}}, "'Big' is no name of a machine type"),
        ({"machine_types": {"big": 1}}, "'machine_types.big' must be a table"),
        ({"machine_types": {"big": {"threads": 2}}}, r"\[machine_types.big\]: says nothing of memory"),
        ({"machine_types": {"big": {**SMALL, "threads": True}}}, "threads='True'"),
        ({"machine_types": {"big": {**SMALL, "threads": 1.5}}}, "threads='1.5'"),
        ({"machine_types": {"big": {**SMALL, "memory": "much"}}}, "memory='much': must be a size, such as 2GiB"),
        ({"machine_types": {"big": {**SMALL, "memory": "100MB"}}}, "memory='100MB': must be at least 512MiB"),
        ({"machine_types": {"big": {**SMALL, "gpu": -1}}}, "gpu='-1'"),
        ({"machine_types": {"big": {**SMALL, "description": 7}}}, "description='7': must be a text"),
        ({"machine_types": {"big": {**SMALL, "concurrency": 0}}}, "concurrency='0'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_its_place(config: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_fleet(config, MACHINE)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 * GIB), ("1.5 GB", 1_500_000_000), (1024, 1024), ("512MiB", GIB // 2), ("7", 7), ("1 kB", 1000)],
)
def test_sizes_are_read_with_their_units(text: Any, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "1e9", "2 gigs", True, 1.5, None, "9" * 30], ids=str)
def test_what_is_no_size_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="must be a size"):
        read_size(text)


@pytest.mark.parametrize(
    ("free", "said"),
    [
        (Machine(2, GIB, 1), ""),
        (Machine(1, GIB, 1), "2 threads, of which 1 are free"),
        (Machine(2, GIB // 2, 1), "1.0 GiB of memory, of which 0.5 GiB are free"),
        (Machine(2, GIB, 0), "1 GPUs, of which 0 are free"),
    ],
)
def test_what_there_is_too_little_of_is_named(free: Machine, said: str) -> None:
    assert find_shortage(MachineType("big", "", 2, GIB, 1), free) == said


def test_nothing_is_ever_less_than_nothing() -> None:
    assert subtract(Machine(1, GIB, 0), MachineType("big", "", 2, 2 * GIB, 1)) == Machine(0, 0, 0)


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0,1,2", 2), ("GPU-5ebe9f43", 1)], ids=str
)
def test_gpus_are_those_that_are_there_and_may_be_used(tmp_path: Path, visible: str | None, count: int) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert count_gpus(visible, tmp_path) == count
