from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import make_bundle
from tests.fakes.evaluations import add_red_version, evaluate_now, request_job
from tests.fakes.ports import add_training, fake_ports

from atrous.core.errors import InvalidInputError, NotFoundError, StoppedError
from atrous.datasets.splits import Split
from atrous.evaluation.kept import open_evaluation
from atrous.runtime.loading import REPRODUCIBLE, load_engine
from atrous.worker.evaluation import score_engine
from atrous.worker.model_evaluation import evaluate_model
from atrous.workspace.evaluations import find_best_threshold, find_evaluation, locate_details
from atrous.workspace.models import find_model
from atrous.workspace.records import EvaluationState, Model, Wish
from atrous.workspace.versions import find_version, list_content, list_samples

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atrous.workspace.ports import Ports


@dataclass
class StopAfter:
    """Wishes for a stop once so many pictures are done."""

    pictures: int
    told: list[int] = field(default_factory=list)

    def report(self, progress: Mapping[str, Any]) -> None:
        self.told.append(progress["done"])

    def wish(self) -> Wish | None:
        return Wish.STOP if self.told and self.told[-1] >= self.pictures else None


def publish(ports: Ports, folder: Path, **options: Any) -> Model:
    made = make_bundle(folder / "made", **options)
    ports.bundles.publish(made, "acme", "road-1-a")
    add_training(ports)
    model = Model("acme", "road-1-a", "road", 1, "t1", ports.clock.now())
    ports.store.add_model(model)
    return model


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    made = fake_ports(tmp_path)
    made.store.add_workspace("acme")
    return made


def test_what_is_kept_is_what_a_direct_evaluation_of_each_threshold_finds(ports: Ports, tmp_path: Path) -> None:
    version = add_red_version(ports)
    model = publish(ports, tmp_path)
    done = evaluate_now(ports, model, tmp_path)
    bundle = ports.bundles.locate("acme", model.slug)
    with open_evaluation(locate_details(ports, done)) as kept:
        for split in (Split.VALID, Split.TEST):
            samples = [sample for sample in list_samples(ports, version) if sample.split is split]
            counts_KKT = kept.read_counts(split)
            for percent in (0, 40, 50, 90):
                direct = score_engine(load_engine(bundle, REPRODUCIBLE), samples, threshold=percent / 100)
                assert counts_KKT[:, :, percent].tolist() == direct.served_KK.tolist()


def test_the_threshold_that_valid_chose_becomes_the_models_best(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports)
    done = evaluate_now(ports, publish(ports, tmp_path), tmp_path)
    best = find_best_threshold(find_model(ports, "acme", "road/1"))
    with open_evaluation(locate_details(ports, done)) as kept:
        assert best == kept.about["best"] / 100
    assert (done.state, done.summary["split"], done.summary["threshold"]) == (EvaluationState.DONE, "test", best)
    low, high = done.summary["interval"]
    assert 0 < low <= done.summary["metrics"]["mIoU"] <= high < 1
    assert done.summary["medianLatencyMs"] > 0


def test_a_version_without_valid_pictures_chooses_no_threshold(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports, valid=0)
    done = evaluate_now(ports, publish(ports, tmp_path), tmp_path)
    assert find_best_threshold(find_model(ports, "acme", "road/1")) is None
    assert done.summary["threshold"] == 0.5


def test_a_version_without_test_pictures_is_judged_on_valid(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports, test=0)
    assert evaluate_now(ports, publish(ports, tmp_path), tmp_path).summary["split"] == "valid"


def test_a_stopped_job_goes_on_after_what_it_has_counted(ports: Ports, tmp_path: Path) -> None:
    version = add_red_version(ports)
    model = publish(ports, tmp_path)
    job = request_job(ports, model)
    watch = StopAfter(3)
    with pytest.raises(StoppedError, match="after 3 of 4 pictures"):
        evaluate_model(ports, job, tmp_path / "job", watch)
    # Who looked at the valid pictures again would miss them now.
    for picture in list_content(ports, version):
        if picture.split is Split.VALID:
            ports.blobs.remove(picture.image_sha256)
    again = StopAfter(99)
    evaluate_model(ports, job, tmp_path / "job", again)
    assert again.told == [2, 3, 4]
    assert find_evaluation(ports, "acme", job.subject).state is EvaluationState.DONE


def test_a_job_that_is_run_again_after_its_end_changes_nothing(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports)
    model = publish(ports, tmp_path)
    job = request_job(ports, model)
    evaluate_model(ports, job, tmp_path / "job", StopAfter(99))
    done = find_evaluation(ports, "acme", job.subject)
    again = StopAfter(99)
    evaluate_model(ports, job, tmp_path / "other", again)
    assert (again.told, find_evaluation(ports, "acme", job.subject)) == ([], done)


def test_pictures_are_known_by_the_ids_of_their_project(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports)
    done = evaluate_now(ports, publish(ports, tmp_path), tmp_path)
    ids = {picture.name: picture.id for picture in ports.store.list_pictures("acme", "road")}
    with open_evaluation(locate_details(ports, done)) as kept:
        assert all(ids[picture.name] == picture.id for picture in kept.list_pictures("valid"))


def test_other_classes_than_the_versions_cannot_be_scored(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports)
    model = publish(ports, tmp_path, class_names=("background", "road"))
    with pytest.raises(InvalidInputError, match="its classes are not those of version road/1"):
        evaluate_now(ports, model, tmp_path)


def test_a_version_without_pictures_to_score_on_is_named(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports, valid=0, test=0)
    with pytest.raises(InvalidInputError, match="version road/1: has no labelled valid or test pictures"):
        evaluate_now(ports, publish(ports, tmp_path), tmp_path)


def test_a_model_that_is_gone_is_not_scored(ports: Ports, tmp_path: Path) -> None:
    add_red_version(ports)
    job = request_job(ports, publish(ports, tmp_path))
    version = find_version(ports, "acme", find_model(ports, "acme", "road/1").version_id)
    ports.store.remove_version("acme", "road", version.number)
    with pytest.raises(NotFoundError):
        evaluate_model(ports, job, tmp_path / "job", StopAfter(99))
