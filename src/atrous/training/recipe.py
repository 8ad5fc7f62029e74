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
        words: the words, or numbers, there are; empty if any will do.
        pattern: what clients may send; on its own machine a person may name files too.
    """

    meaning: str
    part: str
    limits: tuple[float, float] | None = None
    words: tuple[str | int, ...] = ()
    pattern: str = ""

    def find_fault(self, value: Any) -> str | None:
        """Why a value cannot be, to be read after it; None if it can."""
        if self.limits and not self.limits[0] <= value <= self.limits[1]:
            return f"must be {self.limits[0]} to {self.limits[1]}"
        if self.words and value not in self.words:
            return f"choose one of {', '.join(map(str, self.words))}"
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
    preset: str = _choice(
        "none",
        "What the choices that nobody made were derived by; none takes each one's plain default. Whatever is chosen "
        "beside it goes before it.",
        words=("fast", "balanced", "accurate", "none"),
    )
    epochs: int = _choice(50, "Passes over the train pictures.", 1, 100_000)
    batch_size: int = _choice(8, "Pictures in a step.", 1, 4096)
    optimiser: str = _choice(
        "adamw",
        "adamw, or sgd with Nesterov's momentum, which wants about ten times the learning rate.",
        words=("adamw", "sgd"),
    )
    learning_rate: float = _choice(
        1e-3, "The optimiser's peak, reached after the warm-up and lowered polynomially to 0.", 1e-9, 100.0
    )
    momentum: float = _choice(0.9, "Of sgd; adamw has none.", 0.0, 0.999)
    encoder_lr_factor: float = _choice(
        1.0, "The encoder's share of the learning rate; below 1 protects pretrained weights.", 0.0, 10.0
    )
    weight_decay: float = _choice(
        1e-2, "Of the optimiser, on kernels alone; sgd wants about a hundredth of adamw's.", 0.0, 10.0
    )
    encoder_depth: int = _choice(5, "Stages of the encoder that are used; 4 is quicker and a little coarser.", 4, 5)
    output_stride: int = _choice(
        0,
        "Pixels of the picture in a cell of the encoder's last stage: 8 is finer and slower than 16; 0 is the "
        "architecture's own, 16 for deeplabv3plus and 8 for deeplabv3.",
        words=(0, 8, 16),
    )
    pyramid_rate: int = _choice(
        12,
        "Smallest dilation of the pyramid, the others are two and three times it; small pictures at stride 16 may want "
        "6.",
        1,
        48,
    )
    decoder_channels: int = _choice(256, "Width of the pyramid and of what follows it.", 8, 2048)
    norm: str = _choice(
        "batch",
        "batch; frozen keeps the encoder's batch norm as it was pretrained; group does not depend on the batch and is "
        "meant for small ones.",
        words=("batch", "frozen", "group"),
    )
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
    rare_pictures: float = _choice(
        0.0,
        "Pictures of a class that fewer than this share of the train pictures show are drawn more often; 0 is off.",
        0.0,
        1.0,
    )
    label_smoothing: float = _choice(0.0, "Share of each label that cross-entropy spreads over all classes.", 0.0, 0.9)
    hard_share: float = _choice(
        1.0, "Share of the labelled pixels, the hardest ones, that cross-entropy looks at; 1 is all.", 0.01, 1.0
    )
    hard_below: float = _choice(
        0.0, "It looks also at pixels whose own class has a lower probability than this.", 0.0, 1.0
    )
    overlap_loss: str = _choice(
        "none", "What is added to cross-entropy: dice, lovasz, or none.", words=("none", "dice", "lovasz")
    )
    overlap_weight: float = _choice(1.0, "How often that counts.", 0.0, 100.0)
    auxiliary_weight: float = _choice(
        0.0,
        "How often the loss of a second head counts, which sits on the encoder's last stage but one while training and "
        "is no part of the model; 0 is none.",
        0.0,
        10.0,
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
    crop_share: float = _choice(
        1.0,
        "Size of the crops that are trained on, as a share of the network's height and width.",
        0.1,
        1.0,
        part=ONLINE_AUGMENTATION,
    )
    balanced_crops: float = _choice(
        0.0,
        "Share of the crops that are placed over a pixel of a class drawn from those in the picture, each as likely.",
        0.0,
        1.0,
        part=ONLINE_AUGMENTATION,
    )
    copy_paste: float = _choice(
        0.0,
        "Share of the pictures that get the pixels of a class rarer than the mean pasted in from another one.",
        0.0,
        1.0,
        part=ONLINE_AUGMENTATION,
    )
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
    devices: int = _choice(1, "How many of them, each a process with its part of each batch.", 1, 64)
    precision: str = _choice(
        "32-true", "Lightning Fabric's words for number formats.", words=("32-true", "bf16-mixed", "16-mixed")
    )
    deterministic: bool = _choice(
        True, "Give the same weights each time on one machine; a GPU may be quicker where it need not."
    )
    workers: int = _choice(
        -1,
        "Processes that prepare pictures for each device; -1 takes none on a CPU and one per core beside a GPU.",
        -1,
        256,
    )

    def __post_init__(self) -> None:
        for name, choice in CHOICES.items():
            value = getattr(self, name)
            fault = choice.find_fault(value) or self._find_conflict(name)
            if fault:
                raise InvalidInputError(f"--{name.replace('_', '-')} {value}: {fault}")

    def _find_conflict(self, name: str) -> str | None:
        """Why a choice cannot be beside the others."""
        if name == "scale_max" and self.scale_max < self.scale_min:
            return f"must be at least scale_min, {self.scale_min}"
        if name == "norm" and self.norm == "frozen" and self.encoder_weights == "none":
            return "random weights have no statistics worth keeping; choose batch or group, or name --encoder-weights"
        return None

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
