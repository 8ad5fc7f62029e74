from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.ports import fake_ports

from atrous.adapters.home import open_home
from atrous.core.errors import InvalidInputError, NotFoundError
from atrous.core.ids import VersionId
from atrous.workspace.models import find_model, publish_model
from atrous.workspace.records import Training, TrainingState

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Model


@pytest.fixture(params=["fake", "home"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Ports with the workspaces `acme` and `other`."""
    ports = fake_ports(tmp_path / "fake") if request.param == "fake" else open_home(tmp_path / "home")
    ports.store.add_workspace("acme")
    ports.store.add_workspace("other")
    return ports


def start(
    ports: Ports, training_id: str, *, workspace: str = "acme", project: str = "road", version: int = 1
) -> Training:
    training = Training(training_id, workspace, project, version, {}, TrainingState.RUNNING, ports.clock.now())
    ports.store.add_training(training)
    return training


def publish(ports: Ports, folder: Path, training: Training) -> Model:
    made = folder / f"made-{training.workspace}-{training.id}"
    made.mkdir()
    (made / "weights.onnx").write_text(f"weights of {training.id}")
    return publish_model(ports, training, made, {"miou": 0.5})


def test_a_published_model_is_found_by_its_version_and_by_its_slug(ports: Ports, tmp_path: Path) -> None:
    model = publish(ports, tmp_path, start(ports, "t1"))
    assert (model.slug, model.version_id, model.metrics) == ("road-1-t1", VersionId("road", 1), {"miou": 0.5})
    assert find_model(ports, "acme", "road/1") == model
    assert find_model(ports, "acme", "acme/road-1-t1") == model
    folder = ports.bundles.locate("acme", model.slug)
    assert (folder / "weights.onnx").read_text() == "weights of t1"


def test_a_version_stands_for_the_model_of_its_oldest_training(ports: Ports, tmp_path: Path) -> None:
    oldest, older, newer = start(ports, "zz"), start(ports, "mm"), start(ports, "aa")
    second = publish(ports, tmp_path, newer)
    assert find_model(ports, "acme", "road/1") == second
    first = publish(ports, tmp_path, older)
    publish(ports, tmp_path, start(ports, "t3", version=2))
    assert find_model(ports, "acme", "road/1") == first
    assert find_model(ports, "acme", f"acme/{second.slug}") == second
    assert publish(ports, tmp_path, oldest) == find_model(ports, "acme", "road/1")
    assert find_model(ports, "acme", "road/2").training == "t3"
    assert find_model(ports, "acme", "road/02").training == "t3"


def test_models_of_other_workspaces_do_not_exist(ports: Ports, tmp_path: Path) -> None:
    theirs = publish(ports, tmp_path, start(ports, "t1", workspace="other"))
    for model_id in ("road/1", f"other/{theirs.slug}", f"acme/{theirs.slug}"):
        with pytest.raises(NotFoundError, match="not found in this workspace"):
            find_model(ports, "acme", model_id)
    assert find_model(ports, "other", "road/1") == theirs


def test_the_same_ids_stand_for_each_workspaces_own_model(ports: Ports, tmp_path: Path) -> None:
    ours = publish(ports, tmp_path, start(ports, "t1"))
    theirs = publish(ports, tmp_path, start(ports, "t2", workspace="other"))
    assert find_model(ports, "acme", "road/1") == ours
    assert find_model(ports, "other", "road/1") == theirs


@pytest.mark.parametrize(
    "model_id", ["road/9", "sea/1", "acme/nothing", "nobody/road-1-t1", "road/0", f"road/{10**20}"]
)
def test_an_unknown_id_is_not_found_and_named(ports: Ports, tmp_path: Path, model_id: str) -> None:
    publish(ports, tmp_path, start(ports, "t1"))
    with pytest.raises(NotFoundError, match=model_id):
        find_model(ports, "acme", model_id)


@pytest.mark.parametrize("model_id", ["", "road", "road/1/2", "Road/1", "../../secrets", "road/-1"])
def test_an_id_of_another_form_is_refused(ports: Ports, model_id: str) -> None:
    with pytest.raises(InvalidInputError, match="model id"):
        find_model(ports, "acme", model_id)


def test_a_training_is_published_once(ports: Ports, tmp_path: Path) -> None:
    training = start(ports, "t1")
    model = publish(ports, tmp_path, training)
    (tmp_path / "again").mkdir()
    assert publish_model(ports, training, tmp_path / "again", {}) == model
    assert ports.store.list_models("acme") == [model]
    assert (ports.bundles.locate("acme", model.slug) / "weights.onnx").is_file()


def test_a_model_of_the_longest_project_can_be_called_by_its_slug(ports: Ports, tmp_path: Path) -> None:
    project = "a" * 64
    first = publish(ports, tmp_path, start(ports, "0123abcd", project=project, version=123))
    second = publish(ports, tmp_path, start(ports, "0123abce", project=project, version=123))
    assert first.slug != second.slug
    assert find_model(ports, "acme", f"acme/{first.slug}") == first
    assert find_model(ports, "acme", f"{project}/123") == first
