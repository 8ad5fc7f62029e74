from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.bundles import make_bundle
from tests.fakes.ports import add_training, fake_ports

from atrous.bundle.layout import WEIGHTS_TORCH
from atrous.core.errors import InvalidInputError, NotFoundError
from atrous.workspace.checkpoints import describe_checkpoint, find_checkpoint, resolve_checkpoint
from atrous.workspace.records import Model

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    """With the model `acme/road-1-a` of `road/1`."""
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    add_training(ports)
    ports.bundles.publish(make_bundle(tmp_path / "made"), "acme", "road-1-a")
    ports.store.add_model(Model("acme", "road-1-a", "road", 1, "t1", ports.clock.now()))
    return ports


@pytest.mark.parametrize("text", ["acme/road-1-a", "road/1", "1"])
def test_a_checkpoint_has_three_names(ports: Ports, text: str) -> None:
    assert find_checkpoint(ports, "acme", "road", text).slug == "road-1-a"


@pytest.mark.parametrize("text", ["2", "road/2", "other/road-1-a", "imagenet", "a/b/c", "", "\u0661"])
def test_anything_else_is_refused_with_what_was_meant(ports: Ports, text: str) -> None:
    with pytest.raises(InvalidInputError, match="checkpoint"):
        find_checkpoint(ports, "acme", "road", text)


def test_its_weights_are_found_where_the_training_runs(ports: Ports) -> None:
    chosen = describe_checkpoint(ports, find_checkpoint(ports, "acme", "road", "1"))
    resolved = resolve_checkpoint(ports, "acme", chosen | {"epochs": 3})
    path = ports.bundles.locate("acme", "road-1-a") / WEIGHTS_TORCH
    assert resolved == chosen | {"epochs": 3, "encoder_weights": str(path)}


def test_other_starts_are_left_alone(ports: Ports) -> None:
    assert resolve_checkpoint(ports, "acme", {"encoder_weights": "imagenet"}) == {"encoder_weights": "imagenet"}


def test_a_model_that_is_gone_is_said_so(ports: Ports) -> None:
    with pytest.raises(NotFoundError, match="acme/gone"):
        resolve_checkpoint(ports, "acme", {"encoder_weights": "model:acme/gone"})
