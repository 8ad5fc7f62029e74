from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fakes.datasets import CLASS_MAP, SIZE, draw_samples

from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.training.facts import CPU, CUDA, UNKNOWN_DEVICE, DeviceFacts, VersionFacts, describe_version
from atrous.training.presets import PRESETS, derive_recipe
from atrous.training.recipe import Recipe, read_recipe

GIB = 2**30
SQUARE = Size(512, 512)
STREET = {"background": 500_000, "road": 480_000, "pole": 4_000}


def make_facts(
    train: int = 400, valid: int = 100, size: Size = SQUARE, pixels: dict[str, int] | None = None
) -> VersionFacts:
    return VersionFacts(size, train, valid, STREET if pixels is None else pixels)


def derive(facts: VersionFacts | None = None, device: DeviceFacts = UNKNOWN_DEVICE, **chosen: Any) -> Recipe:
    return derive_recipe(chosen, facts or make_facts(), device).recipe


def test_nothing_chosen_is_the_balanced_preset() -> None:
    derived = derive_recipe({}, make_facts(), UNKNOWN_DEVICE)
    assert derived.recipe == Recipe(preset="balanced", epochs=50, auxiliary_weight=0.4)
    assert derived.reasons["epochs"] == "20,000 views of 400 train pictures"


@pytest.mark.parametrize("preset", [*PRESETS, "none"])
def test_what_a_person_chose_goes_before_what_is_derived(preset: str) -> None:
    chosen = {
        "preset": preset,
        "encoder": "resnet18",
        "epochs": 7,
        "batch_size": 3,
        "class_weights": "none",
        "validate_every": 2,
        "dropout": 0.25,
        "scale_max": 1.0,
        "precision": "32-true",
    }
    derived = derive_recipe(chosen, make_facts(), DeviceFacts(CUDA, 80 * GIB, has_bf16=True))
    assert chosen.items() <= derived.recipe.as_json().items()
    assert not chosen.keys() & derived.reasons.keys()


def test_no_preset_leaves_every_plain_default() -> None:
    derived = derive_recipe({"preset": "none", "epochs": 3}, make_facts(train=7), UNKNOWN_DEVICE)
    assert derived.recipe == Recipe(epochs=3)
    assert not derived.reasons


def test_more_is_done_for_a_more_accurate_preset() -> None:
    fast, balanced, accurate = (derive(preset=preset) for preset in ("fast", "balanced", "accurate"))
    assert fast.epochs < balanced.epochs < accurate.epochs
    assert (fast.encoder, balanced.encoder, accurate.encoder) == ("mobilenet_v2", "mobilenet_v2", "resnet34")
    assert derive(device=DeviceFacts(CUDA, 80 * GIB), preset="accurate").encoder == "resnet101"


@pytest.mark.parametrize(("train", "epochs"), [(10, 200), (100, 200), (400, 50), (2_000, 20), (50_000, 20), (0, 200)])
def test_few_pictures_are_seen_more_often_within_bounds(train: int, epochs: int) -> None:
    assert derive(make_facts(train)).epochs == epochs


def test_random_weights_take_three_times_the_epochs() -> None:
    assert derive(encoder_weights="none").epochs == 3 * derive(encoder_weights="imagenet").epochs


@pytest.mark.parametrize(("train", "batch"), [(1, 4), (8, 4), (31, 4), (32, 8), (1_000, 8)])
def test_few_pictures_come_in_small_batches(train: int, batch: int) -> None:
    assert derive(make_facts(train)).batch_size == batch


def test_a_batch_fits_in_memory() -> None:
    large = make_facts(size=Size(1024, 2048))
    sizes = [derive(large, DeviceFacts(CPU, gib * GIB), encoder="resnet101").batch_size for gib in (256, 64, 16, 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (8, 1)
    small = DeviceFacts(CPU, 32 * GIB)
    assert derive(large, small, crop_share=0.25).batch_size == 8
    coarse = derive(large, small, encoder="resnet50").batch_size
    assert derive(large, small, encoder="resnet50", output_stride=8).batch_size < coarse
    assert derive(large, small, encoder="resnet50", architecture="deeplabv3").batch_size < coarse


def test_a_gpu_takes_larger_batches_in_its_own_number_format() -> None:
    recipe = derive(device=DeviceFacts(CUDA, 80 * GIB, has_bf16=True))
    assert (recipe.batch_size, recipe.precision) == (16, "bf16-mixed")
    assert derive(device=DeviceFacts(CUDA, 80 * GIB)).precision == "32-true"


def test_classes_are_weighed_only_where_one_is_rare() -> None:
    derived = derive_recipe({}, make_facts(), UNKNOWN_DEVICE)
    assert derived.recipe.class_weights == "balanced"
    assert "'pole'" in derived.reasons["class_weights"]
    assert derive(make_facts(pixels={"background": 900, "road": 100})).class_weights == "none"
    assert derive(make_facts(pixels={"background": 900, "road": 0})).class_weights == "balanced"
    assert derive(make_facts(pixels={"background": 0, "road": 0})).class_weights == Recipe().class_weights


def test_a_version_without_background_is_weighed_by_its_other_classes() -> None:
    assert derive(make_facts(pixels={"background": 0, "road": 500, "sky": 500})).class_weights == "none"
    derived = derive_recipe({}, make_facts(pixels={"background": 0, "road": 995, "sky": 5}), UNKNOWN_DEVICE)
    assert derived.reasons["class_weights"] == "'sky' has 0.50% of the labelled pixels"


def test_validation_takes_a_small_share_of_the_time() -> None:
    assert derive(make_facts(400, 100)).validate_every == 1
    assert derive(make_facts(400, 1_000)).validate_every == 5
    assert derive(make_facts(10, 2), encoder_weights="none").validate_every == 6
    assert derive(make_facts(400, 10_000), epochs=3).validate_every == 3


def test_small_pictures_are_not_made_much_smaller() -> None:
    assert derive(preset="accurate").scale_min == 0.5
    assert derive(make_facts(size=Size(240, 320)), preset="accurate").scale_min == 0.75
    assert derive(make_facts(size=Size(240, 320)), preset="accurate", scale_min=0.25).scale_min == 0.25
    assert derive(preset="accurate", scale_min=3.0).scale_max == 3.0


@pytest.mark.parametrize(
    ("name", "value"), [("preset", "quick"), ("epochs", 0), ("batch_size", 0), ("architecture", "unet"), ("seed", -1)]
)
def test_a_choice_that_cannot_be_is_refused_by_its_flag(name: str, value: Any) -> None:
    if name == "architecture":
        assert derive(architecture=value).architecture == value  # names of networks are checked where they are built
        return
    with pytest.raises(InvalidInputError, match=f"--{name.replace('_', '-')} "):
        derive(**{name: value})


def test_the_stored_recipe_shows_what_was_derived_and_reads_back() -> None:
    derived = derive_recipe({"flip": False}, make_facts(), UNKNOWN_DEVICE)
    stored = json.loads(json.dumps(derived.as_json()))
    assert read_recipe(stored) == derived.recipe
    assert stored["derived"].keys() == derived.reasons.keys()
    line = derived.describe()
    assert line.startswith("preset balanced: ")
    assert "epochs 50 (20,000 views of 400 train pictures)" in line
    assert "\n" not in line


def test_a_version_is_described_by_its_masks(tmp_path: Any) -> None:
    counted = [sample for sample in draw_samples(tmp_path) if sample.split is Split.TRAIN]
    facts = describe_version(SIZE, {Split.TRAIN: 5, Split.VALID: 2}, counted, CLASS_MAP)
    assert (facts.train_pictures, facts.valid_pictures) == (5, 2)
    assert set(facts.class_pixels) == set(CLASS_MAP.names)
    labelled = SIZE.pixels - 4 * SIZE.width
    assert sum(facts.class_pixels.values()) == 5 * labelled
