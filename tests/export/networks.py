"""Small networks, and bundles of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tests.fakes.datasets import CLASS_MAP, SIZE, draw_picture

from atrous.bundle.preprocessing import Preprocessing, fit_image, normalise
from atrous.export.bundle import Provenance, write_bundle
from atrous.models.architectures import DEFAULT_SHAPE, build_network

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.bundle.manifest import Manifest
    from atrous.models.architectures import SegmentationNetwork, Shape

PREPROCESSING = Preprocessing(size=SIZE)
CELL_PX = 4
PROVENANCE = Provenance(
    model_id="road/1",
    architecture="deeplabv3plus",
    encoder="tu-test_resnet",
    recipe={"epochs": 3},
    version_hash="ab" * 32,
    created="2026-01-01T00:00:00+00:00",
)
PICTURES = [draw_picture(np.random.default_rng(seed))[0] for seed in range(3)]
INPUTS = [normalise(fit_image(picture, PREPROCESSING), PREPROCESSING) for picture in PICTURES]


def make_network(seed: int, shape: Shape = DEFAULT_SHAPE) -> SegmentationNetwork:
    torch.manual_seed(seed)
    return build_network(PROVENANCE.architecture, PROVENANCE.encoder, len(CLASS_MAP), shape).eval()


def export(folder: Path, network: SegmentationNetwork, recipe: dict[str, Any] | None = None) -> Manifest:
    folder.mkdir()
    return write_bundle(
        folder,
        weights=network.network.state_dict(),
        class_map=CLASS_MAP,
        preprocessing=PREPROCESSING,
        provenance=replace(PROVENANCE, recipe=recipe) if recipe else PROVENANCE,
        pictures_HWC=PICTURES,
    )
