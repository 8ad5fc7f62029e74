"""What the rules ask of a store about evaluations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.adapters.rows import NOON, make_model, make_project, make_training, version_maker
from tests.fakes.ports import open_new_store

from atrous.workspace.ports import EvaluationFilter
from atrous.workspace.records import EvaluationState, ModelEvaluation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.adapters.sql_store import SqlStore

DONE, RUNNING = EvaluationState.DONE, EvaluationState.RUNNING


def make_evaluation(evaluation_id: str, model: str = "road-1-t1", **changes: Any) -> ModelEvaluation:
    return replace(ModelEvaluation(evaluation_id, "acme", "road", 1, model, RUNNING, NOON), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A store with a model of `acme` on `road/1` and another on `road/2`."""
    opened = open_new_store(tmp_path)
    opened.add_workspace("acme")
    opened.add_workspace("other")
    opened.add_project(make_project())
    for number in (1, 2):
        opened.add_version(version_maker(), "acme", "road")
        opened.add_training(make_training(f"t{number}", version=number))
        opened.add_model(make_model(f"road-{number}-t{number}", version=number, training=f"t{number}"))
    yield opened
    opened._engine.dispose()


def list_ids(store: SqlStore, **which: Any) -> list[str]:
    return [one.id for one in store.list_evaluations("acme", EvaluationFilter(**which))]


def test_an_evaluation_comes_back_as_it_was_kept(store: SqlStore) -> None:
    done = make_evaluation("e1", state=DONE, summary={"mIoU": 0.5}, details_sha256="ab", error=None)
    store.add_evaluation(make_evaluation("e1"))
    store.set_evaluation(done)
    assert store.find_evaluation("acme", "e1") == done


def test_evaluations_of_another_workspace_are_not_found(store: SqlStore) -> None:
    store.add_evaluation(make_evaluation("e1"))
    assert store.find_evaluation("other", "e1") is None
    assert store.list_evaluations("other") == []


def test_evaluations_are_listed_newest_first_by_all_that_is_asked_for(store: SqlStore) -> None:
    store.add_evaluation(make_evaluation("e1", state=DONE))
    store.add_evaluation(make_evaluation("e2"))
    store.add_evaluation(make_evaluation("e3", "road-2-t2", version=2))
    assert list_ids(store) == ["e3", "e2", "e1"]
    assert list_ids(store, project="road", version=1) == ["e2", "e1"]
    assert list_ids(store, model="road-2-t2") == ["e3"]
    assert list_ids(store, state=DONE) == ["e1"]
    assert list_ids(store, project="sea") == []
    assert list_ids(store, version=2**40) == []
    assert [one.id for one in store.list_evaluations("acme", limit=1)] == ["e3"]


def test_evaluations_of_models_in_the_trash_are_not_found(store: SqlStore) -> None:
    store.add_evaluation(make_evaluation("e1"))
    store.set_training(make_training("t1", deleted=NOON))
    assert store.find_evaluation("acme", "e1") is None
    assert list_ids(store) == []
    store.set_training(make_training("t1"))
    assert list_ids(store) == ["e1"]


def test_figures_are_put_beside_those_of_a_model(store: SqlStore) -> None:
    store.add_metrics("acme", "road-1-t1", {"best_threshold": 0.3})
    store.add_metrics("acme", "road-1-t1", {"best_threshold": 0.4})
    store.add_metrics("acme", "gone", {"best_threshold": 0.4})
    model = store.find_model("acme", "road-1-t1")
    assert model is not None
    assert model.metrics == {"miou": 0.5, "served_miou": None, "split": "valid", "best_threshold": 0.4}
