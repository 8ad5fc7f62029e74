from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.evaluations import add_red_version
from tests.fakes.ports import add_training, fake_ports

from atrous.core.errors import ConflictError, NotFoundError
from atrous.workspace.evaluations import (
    compare_models,
    find_best_threshold,
    find_evaluation,
    list_evaluations,
    locate_details,
    request_evaluation,
)
from atrous.workspace.records import EvaluationState, JobKind, JobState, Model, ModelEvaluation

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    made = fake_ports(tmp_path)
    made.store.add_workspace("acme")
    add_red_version(made)
    return made


def publish(ports: Ports, slug: str = "road-1-a") -> Model:
    add_training(ports)
    model = Model("acme", slug, "road", 1, "t1", ports.clock.now())
    ports.store.add_model(model)
    return model


def finish(ports: Ports, model: Model, *, latency_ms: float, **metrics: float | None) -> None:
    summary: dict[str, Any] = {"metrics": metrics, "medianLatencyMs": latency_ms}
    done = replace(request_evaluation(ports, model), state=EvaluationState.DONE, summary=summary)
    ports.store.set_evaluation(done)


def list_jobs(ports: Ports, evaluation: ModelEvaluation) -> list[JobState]:
    return [job.state for job in ports.queue.list_jobs("acme", JobKind.EVALUATE, evaluation.id)]


def end_job(ports: Ports, state: JobState, error: str | None = None) -> None:
    job = ports.queue.claim_job("w", [JobKind.EVALUATE], ports.clock.now(), ports.clock.now())
    assert job is not None
    ports.queue.end_job(job.id, "w", state, ports.clock.now(), error=error)


def test_a_request_makes_an_evaluation_and_its_job(ports: Ports) -> None:
    evaluation = request_evaluation(ports, publish(ports))
    assert (evaluation.state, evaluation.model, evaluation.version) == (EvaluationState.RUNNING, "road-1-a", 1)
    assert list_jobs(ports, evaluation) == [JobState.QUEUED]


def test_a_second_request_gives_the_same_evaluation(ports: Ports) -> None:
    model = publish(ports)
    first = request_evaluation(ports, model)
    assert request_evaluation(ports, model) == first
    assert list_jobs(ports, first) == [JobState.QUEUED]


def test_a_second_request_makes_the_job_that_a_kill_prevented(ports: Ports) -> None:
    model = publish(ports)
    ports.store.add_evaluation(
        ModelEvaluation("e1", "acme", "road", 1, model.slug, EvaluationState.RUNNING, model.created)
    )
    assert list_jobs(ports, request_evaluation(ports, model)) == [JobState.QUEUED]


def test_an_evaluation_fails_with_its_job_and_can_be_asked_for_again(ports: Ports) -> None:
    model = publish(ports)
    first = request_evaluation(ports, model)
    end_job(ports, JobState.FAILED, "its process died 5 times")
    failed = find_evaluation(ports, "acme", first.id)
    assert (failed.state, failed.error) == (EvaluationState.FAILED, "its process died 5 times")
    with pytest.raises(ConflictError, match=r"failed \(its process died 5 times\)"):
        locate_details(ports, failed)
    second = request_evaluation(ports, model)
    assert [one.id for one in list_evaluations(ports, "acme")] == [second.id, first.id]


def test_a_cancelled_job_shows_in_the_list(ports: Ports) -> None:
    request_evaluation(ports, publish(ports))
    end_job(ports, JobState.CANCELLED)
    assert [one.state for one in list_evaluations(ports, "acme")] == [EvaluationState.FAILED]


def test_details_of_a_running_evaluation_are_refused(ports: Ports) -> None:
    with pytest.raises(ConflictError, match="is not done"):
        locate_details(ports, request_evaluation(ports, publish(ports)))


def test_another_workspace_finds_nothing(ports: Ports) -> None:
    evaluation = request_evaluation(ports, publish(ports))
    with pytest.raises(NotFoundError, match="roboflow eval list"):
        find_evaluation(ports, "other", evaluation.id)


@pytest.mark.parametrize(("kept", "found"), [(0.37, 0.37), (0, 0.0), (None, None), ("0.4", None), (40, None)])
def test_a_best_threshold_is_a_share(ports: Ports, kept: Any, found: float | None) -> None:
    assert find_best_threshold(replace(publish(ports), metrics={"best_threshold": kept})) == found


def test_the_frontier_holds_what_no_other_model_beats(ports: Ports) -> None:
    figures = {"good": (0.9, 30), "fast": (0.7, 10), "beaten": (0.7, 20), "blind": (None, 5)}
    for slug, (mean_iou, latency_ms) in figures.items():
        finish(ports, publish(ports, slug), latency_ms=latency_ms, mIoU=mean_iou)
    publish(ports, "new")
    request_evaluation(ports, publish(ports, "waiting"))
    compared = {one.model: (one.on_frontier, one.reason) for one in compare_models(ports, "acme", "road", 1, "mIoU")}
    assert compared == {
        "acme/good": (True, ""),
        "acme/fast": (True, ""),
        "acme/beaten": (False, ""),
        "acme/blind": (False, "no mIoU"),
        "acme/new": (False, "no evaluation"),
        "acme/waiting": (False, "evaluation running"),
    }


def test_equal_models_are_both_on_the_frontier(ports: Ports) -> None:
    for slug in ("one", "two"):
        finish(ports, publish(ports, slug), latency_ms=10, mIoU=0.5)
    assert [one.on_frontier for one in compare_models(ports, "acme", "road", 1, "mIoU")] == [True, True]


def test_models_of_a_version_that_is_not_there_cannot_be_compared(ports: Ports) -> None:
    with pytest.raises(NotFoundError, match="version road/9: does not exist"):
        compare_models(ports, "acme", "road", 9, "mIoU")
