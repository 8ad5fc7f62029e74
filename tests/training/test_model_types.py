from __future__ import annotations

import pytest

from atrous.core.errors import InvalidInputError
from atrous.training.model_types import (
    ARCHITECTURES,
    ENCODERS,
    SUFFIXES,
    ModelType,
    list_model_types,
    name_model_type,
    parse_model_type,
)
from atrous.training.recipe import Recipe


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("deeplabv3plus", ModelType("deeplabv3plus")),
        ("deeplabv3plus-sem", ModelType("deeplabv3plus")),
        ("deeplabv3-sem", ModelType("deeplabv3")),
        ("deeplabv3plus-resnet50-sem", ModelType("deeplabv3plus", "resnet50")),
        ("deeplabv3plus-r50", ModelType("deeplabv3plus", "resnet50")),
        ("deeplabv3-efficientnet-b0-sem", ModelType("deeplabv3", "efficientnet-b0")),
        (" DeepLabV3plus-Large ", ModelType("deeplabv3plus", "resnet101")),
    ],
)
def test_a_model_type_is_read_in_any_form(text: str, found: ModelType) -> None:
    assert parse_model_type(text) == found


@pytest.mark.parametrize(
    "text", ["", "sem", "yolov8n-sem", "deeplabv3plus-", "deeplabv3plus-vgg-sem", "deeplabv3plusr50"]
)
def test_another_model_type_is_refused_with_the_names_there_are(text: str) -> None:
    with pytest.raises(InvalidInputError, match="deeplabv3plus-r50-sem"):
        parse_model_type(text)


def test_every_listed_name_says_its_task_and_comes_back_from_its_recipe() -> None:
    for name in list_model_types():
        # The stock client takes these for other kinds of models.
        assert "sem" in name
        assert not any(part in name for part in ("resn", "yolo", "vit-b", "seg-"))
        found = parse_model_type(name)
        recipe = Recipe(architecture=found.architecture, **({"encoder": found.encoder} if found.encoder else {}))
        assert name_model_type(recipe.as_json()) == name


def test_an_encoder_without_a_short_name_is_named_in_full() -> None:
    recipe = {"architecture": "deeplabv3", "encoder": "tu-resnet10t"}
    assert name_model_type(recipe) == "deeplabv3-tu-resnet10t-sem"


def test_each_architecture_and_encoder_can_be_built() -> None:
    architectures = pytest.importorskip("atrous.models.architectures", reason="needs torch; pip install '.[train]'")
    torch = pytest.importorskip("torch")
    assert set(ARCHITECTURES) == set(architectures.ARCHITECTURES)
    assert set(SUFFIXES.values()) == set(ENCODERS.values())
    for encoder in ENCODERS.values():
        with torch.device("meta"):
            architectures.build_network(ARCHITECTURES[0], encoder, 2)
