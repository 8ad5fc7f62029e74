"""All choices of a training, as plain values that are stored with the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.datasets.content import Sample

CHOICES = {
    "class_weights": ("balanced", "none"),
    "device": ("auto", "cpu", "cuda"),
    "precision": ("32-true", "bf16-mixed", "16-mixed"),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        encoder_weights: `imagenet` (or another name the hub knows), `none`, or a file.
        learning_rate: AdamW's peak, reached after the warm-up and lowered polynomially to 0.
        encoder_lr_factor: the encoder's share of it; below 1 protects pretrained weights.
        encoder_depth: stages of the encoder that are used, 4 or 5; 4 is quicker and a little coarser.
        decoder_channels: width of the pyramid and of what follows it.
        dropout: share of the pyramid's values dropped in each step; short trainings of small networks want less.
        class_weights: `balanced` weighs the loss by the inverse square root of each class's pixel share.
        ema_horizon: share of all steps over which weights are averaged for validation and the model; 0 is off.
        scale_min, scale_max: range of the random zoom before the random crop.
        colour_jitter: strength of brightness, contrast and saturation changes; hue moves a tenth of it.
        device: `auto`, `cpu` or `cuda`.
        precision: Lightning Fabric's words: `32-true`, `bf16-mixed`, `16-mixed`.
        workers: processes that prepare pictures; -1 takes none on a CPU and one per core beside a GPU.
    """

    architecture: str = "deeplabv3plus"
    encoder: str = "mobilenet_v2"
    encoder_weights: str = "imagenet"
    epochs: int = 50
    batch_size: int = 8
    learning_rate: float = 1e-3
    encoder_lr_factor: float = 1.0
    weight_decay: float = 1e-2
    encoder_depth: int = 5
    decoder_channels: int = 256
    dropout: float = 0.5
    warmup_share: float = 0.05
    poly_power: float = 0.9
    class_weights: str = "balanced"
    ema_horizon: float = 0.05
    flip: bool = True
    scale_min: float = 0.75
    scale_max: float = 1.5
    colour_jitter: float = 0.3
    validate_every: int = 1
    seed: int = 0
    device: str = "auto"
    precision: str = "32-true"
    workers: int = -1

    def __post_init__(self) -> None:
        limits = {
            "epochs": (1, 100_000),
            "batch_size": (1, 4096),
            "learning_rate": (1e-9, 100.0),
            "encoder_lr_factor": (0.0, 10.0),
            "weight_decay": (0.0, 10.0),
            "encoder_depth": (4, 5),
            "decoder_channels": (8, 2048),
            "dropout": (0.0, 0.9),
            "warmup_share": (0.0, 1.0),
            "ema_horizon": (0.0, 1.0),
            "scale_min": (0.1, 10.0),
            "scale_max": (self.scale_min, 10.0),
            "colour_jitter": (0.0, 1.0),
            "validate_every": (1, 100_000),
            "seed": (0, 2**32 - 1),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidInputError(f"--{name.replace('_', '-')} {value}: must be {low} to {high}")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InvalidInputError(f"--{name.replace('_', '-')} {value}: choose one of {', '.join(choices)}")

    def as_json(self) -> dict[str, Any]:
        """Every choice by name."""
        return asdict(self)


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
