from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from tests.training.runs import RECIPE, make_config

from atrous.core.errors import InvalidInputError
from atrous.training.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("scale_min", 0.0),
        ("colour_jitter", 1.5),
        ("ema_horizon", -0.1),
        ("validate_every", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("class_weights", "heavy"),
        ("device", "abacus"),
        ("precision", "8-bit"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_flag(name: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"--{name.replace('_', '-')} "):
        Recipe(**{name: value})


def test_a_largest_zoom_below_the_smallest_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="--scale-max"):
        Recipe(scale_min=1.2, scale_max=1.1)


def test_a_recipe_survives_json_and_names_of_other_releases() -> None:
    content = json.loads(json.dumps(RECIPE.as_json())) | {"invented_later": 1}
    assert read_recipe(content) == RECIPE


def test_a_config_can_be_carried_to_another_process(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    assert pickle.loads(pickle.dumps(config)) == config
