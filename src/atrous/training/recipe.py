"""All choices of a training, as plain values that are stored with the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.datasets.content import Sample

# The parts of what clients call a recipe; what the kind of model decides is in none of them.
HYPERPARAMETERS = "hyperparameters"
ONLINE_AUGMENTATION = "online_augmentation"
MODEL_TYPE = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person is told of one choice.

    Attributes:
        part: which part of a client's recipe it belongs to.
        limits: least and greatest number.
        words: the words there are; empty if any will do.
        pattern: what clients may send; on its own machine a person may name files too.
    """

    meaning: str
    part: str
    limits: tuple[float, float] | None = None
    words: tuple[str, ...] = ()
    pattern: str = ""

    def find_fault(self, value: Any) -> str | None:
        """Why a value cannot be, to be read after it; None if it can."""
        if self.limits and not self.limits[0] <= value <= self.limits[1]:
            return f"must be {self.limits[0]} to {self.limits[1]}"
        if self.words and value not in self.words:
            return f"choose one of {', '.join(self.words)}"
        return None


def _choice(default: Any, meaning: str, *limits: float, part: str = HYPERPARAMETERS, **more: Any) -> Any:
    choice = Choice(meaning, part, limits=(limits[0], limits[1]) if limits else None, **more)
    return field(default=default, metadata={"choice": choice})


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; each choice says its meaning and its limits."""

    architecture: str = _choice("deeplabv3plus", "deeplabv3plus or deeplabv3.", part=MODEL_TYPE)
    encoder: str = _choice("mobilenet_v2", "A name of segmentation-models-pytorch.", part=MODEL_TYPE)
    encoder_weights: str = _choice(
        "imagenet",
        "What the encoder starts from: imagenet, another name that the hub knows, or none; a file, where it is named "
        "on the command line.",
        pattern="[a-z0-9][a-z0-9_+-]{0,63}",
    )
    epochs: int = _choice(50, "Passes over the train pictures.", 1, 100_000)
    batch_size: int = _choice(8, "Pictures in a step.", 1, 4096)
    learning_rate: float = _choice(
        1e-3, "AdamW's peak, reached after the warm-up and lowered polynomially to 0.", 1e-9, 100.0
    )
    encoder_lr_factor: float = _choice(
        1.0, "The encoder's share of the learning rate; below 1 protects pretrained weights.", 0.0, 10.0
    )
    weight_decay: float = _choice(1e-2, "Of AdamW.", 0.0, 10.0)
    encoder_depth: int = _choice(5, "Stages of the encoder that are used; 4 is quicker and a little coarser.", 4, 5)
    decoder_channels: int = _choice(256, "Width of the pyramid and of what follows it.", 8, 2048)
    dropout: float = _choice(
        0.5,
        "Share of the pyramid's values dropped in each step; short trainings of small networks want less.",
        0.0,
        0.9,
    )
    warmup_share: float = _choice(0.05, "Share of all steps in which the learning rate rises to its peak.", 0.0, 1.0)
    poly_power: float = _choice(0.9, "Power of the polynomial that lowers the learning rate.", 0.0, 10.0)
    class_weights: str = _choice(
        "balanced",
        "balanced weighs the loss by the inverse square root of each class's pixel share.",
        words=("balanced", "none"),
    )
    ema_horizon: float = _choice(
        0.05,
        "Share of all steps over which weights are averaged for validation and the model; 0 is off.",
        0.0,
        1.0,
    )
    flip: bool = _choice(True, "Mirror pictures at random.", part=ONLINE_AUGMENTATION)
    scale_min: float = _choice(
        0.75, "Smallest random zoom before the random crop.", 0.1, 10.0, part=ONLINE_AUGMENTATION
    )
    scale_max: float = _choice(1.5, "Largest random zoom, not below scale_min.", 0.1, 10.0, part=ONLINE_AUGMENTATION)
    colour_jitter: float = _choice(
        0.3,
        "Strength of brightness, contrast and saturation changes; hue moves a tenth of it.",
        0.0,
        1.0,
        part=ONLINE_AUGMENTATION,
    )
    int8: str = _choice(
        "auto",
        "auto publishes the network in 8 bits too, where that costs at most 1 point of mIoU on valid.",
        words=("auto", "off"),
    )
    validate_every: int = _choice(1, "Epochs between validations.", 1, 100_000)
    seed: int = _choice(0, "Decides everything random.", 0, 2**32 - 1)
    device: str = _choice("auto", "What computes.", words=("auto", "cpu", "cuda"))
    precision: str = _choice(
        "32-true", "Lightning Fabric's words for number formats.", words=("32-true", "bf16-mixed", "16-mixed")
    )
    workers: int = _choice(
        -1, "Processes that prepare pictures; -1 takes none on a CPU and one per core beside a GPU.", -1, 256
    )

    def __post_init__(self) -> None:
        for name, choice in CHOICES.items():
            value = getattr(self, name)
            fault = choice.find_fault(value)
            if fault is None and name == "scale_max" and value < self.scale_min:
                fault = f"must be at least scale_min, {self.scale_min}"
            if fault:
                raise InvalidInputError(f"--{name.replace('_', '-')} {value}: {fault}")

    def as_json(self) -> dict[str, Any]:
        """Every choice by name."""
        return asdict(self)


CHOICES: dict[str, Choice] = {field.name: field.metadata["choice"] for field in fields(Recipe)}


def read_recipe(content: dict[str, Any]) -> Recipe:
    """Read what `as_json` gave, ignoring names this release does not know."""
    return Recipe(**{field.name: content[field.name] for field in fields(Recipe) if field.name in content})


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One training, picklable, so that any launcher can carry it to another process.

    Attributes:
        run_folder: where checkpoints and the log of epochs are written.
        resume: go on from the run folder's last checkpoint, if there is one.
    """

    run_folder: Path
    samples: tuple[Sample, ...]
    class_map: ClassMap
    preprocessing: Preprocessing
    recipe: Recipe
    resume: bool = False
