from __future__ import annotations

from typing import Any

import pytest

from atrous.core.errors import InvalidInputError
from atrous.training.recipe import CHOICES, Recipe
from atrous.training.template import PARTS, describe_recipe, make_template, read_template

FIXED = {"architecture", "encoder"}


def test_the_schema_describes_every_choice_that_the_model_type_leaves() -> None:
    schema = describe_recipe(Recipe(epochs=7))
    described = {name: one for part in PARTS for name, one in schema["properties"][part]["properties"].items()}
    assert set(described) == set(CHOICES) - FIXED
    assert all(one["description"] and "default" in one for one in described.values())
    assert described["epochs"] == {
        "type": "integer",
        "description": "Passes over the train pictures.",
        "minimum": 1,
        "maximum": 100_000,
        "default": 7,
    }
    assert described["class_weights"]["enum"] == ["balanced", "none"]


def test_a_template_that_is_sent_back_changes_nothing() -> None:
    recipe = Recipe(epochs=3, flip=False, scale_max=2.0)
    assert Recipe(**read_template(make_template(recipe))) == recipe


def test_a_file_of_the_server_is_neither_shown_nor_taken() -> None:
    recipe = Recipe(encoder_weights="/srv/weights.pt")
    assert "encoder_weights" not in make_template(recipe)["hyperparameters"]
    assert "/srv" not in str(describe_recipe(recipe))
    with pytest.raises(InvalidInputError, match=r"trainRecipe\.hyperparameters\.encoder_weights"):
        read_template({"hyperparameters": {"encoder_weights": "/srv/weights.pt"}})


def test_other_tools_name_of_the_learning_rate_is_understood() -> None:
    assert read_template({"hyperparameters": {"lr": 0.01}}) == {"learning_rate": 0.01}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"optimizer": {}}, "trainRecipe.optimizer"),
        ({"hyperparameters": []}, "trainRecipe.hyperparameters"),
        ({"hyperparameters": {"flip": True}}, "trainRecipe.hyperparameters.flip"),
        ({"hyperparameters": {"encoder": "resnet18"}}, "trainRecipe.hyperparameters.encoder"),
        ({"hyperparameters": {"epochs": "3"}}, "trainRecipe.hyperparameters.epochs"),
        ({"hyperparameters": {"epochs": True}}, "trainRecipe.hyperparameters.epochs"),
        ({"hyperparameters": {"epochs": 0}}, "trainRecipe.hyperparameters.epochs"),
        ({"hyperparameters": {"learning_rate": float("nan")}}, "trainRecipe.hyperparameters.learning_rate"),
        ({"hyperparameters": {"class_weights": "heavy"}}, "trainRecipe.hyperparameters.class_weights"),
        ({"online_augmentation": {"flip": 1}}, "trainRecipe.online_augmentation.flip"),
        ({"online_augmentation": {"scale_min": None}}, "trainRecipe.online_augmentation.scale_min"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(content: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_template(content)
    assert str(caught.value).startswith(f"{named}:")
