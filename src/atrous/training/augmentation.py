"""Random changes of training pictures that keep class ids exact.

Axes: C channels, H W pixels; pictures are RGB uint8, masks uint8 ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size
from atrous.training.crops import BalancedCrop
from atrous.training.hue import RandomHue

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from atrous.training.recipe import Recipe

# The mean colour of ImageNet: what the network sees as nothing.
PADDING_RGB = (124, 116, 104)

HUE_SHARE = 0.1
# Coarsest stride of an encoder: such crops need no padding.
CROP_STEP_PX = 16


def make_augmentation(recipe: Recipe, size: Size) -> Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]:
    """Give a function of (image_CHW, mask_HW, seed) that answers with both changed alike, of one size.

    That is the size given, or the recipe's share of it.

    Padding that a zoom-out brings is void in the mask. The same seed gives the same change, whatever ran before.
    """
    steps: list[Callable[..., Any]] = []
    crop = choose_crop(size, recipe.crop_share)
    if recipe.flip:
        steps.append(v2.RandomHorizontalFlip())
    zooms = (recipe.scale_min, recipe.scale_max) != (1.0, 1.0)
    if zooms:
        steps.append(_RandomZoom(recipe.scale_min, recipe.scale_max))
    if zooms or crop != size:
        steps.append(_make_crop(crop, recipe.balanced_crops))
    if recipe.colour_jitter:
        strength = recipe.colour_jitter
        steps += [v2.ColorJitter(strength, strength, strength), RandomHue(HUE_SHARE * strength)]
    change = v2.Compose(steps) if steps else v2.Identity()

    def augment(image_CHW: Tensor, mask_HW: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        with torch.random.fork_rng(devices=[]):
            # Not torch's function of that name, which for GPUs that nobody has used yet keeps a trace of its caller.
            torch.default_generator.manual_seed(seed)
            image, mask = change(tv_tensors.Image(image_CHW), tv_tensors.Mask(mask_HW))
        return image.as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor)

    return augment


def choose_crop(size: Size, share: float) -> Size:
    """The size of the crops that are trained on: a share of the network's, in whole cells of its encoder."""
    if share == 1:
        return size
    height, width = (
        min(side, max(1, round(share * side / CROP_STEP_PX)) * CROP_STEP_PX) for side in (size.height, size.width)
    )
    return Size(height=height, width=width)


def _make_crop(size: Size, balanced: float) -> Callable[..., Any]:
    fill: dict[Any, Any] = {tv_tensors.Image: PADDING_RGB, tv_tensors.Mask: VOID_ID}
    if balanced:
        return BalancedCrop(size, fill, balanced)
    return v2.RandomCrop((size.height, size.width), pad_if_needed=True, fill=fill)


class _RandomZoom:
    """Resize a picture and its mask about their common centre.

    torchvision's own resize of masks takes each pixel from its corner, which shifts labels by up to half a pixel.
    """

    def __init__(self, smallest: float, largest: float) -> None:
        self._smallest, self._span = smallest, largest - smallest

    def __call__(self, image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask) -> tuple[Tensor, Tensor]:
        scale = self._smallest + self._span * torch.rand(1).item()
        shape = [max(1, int(side * scale)) for side in mask_HW.shape]
        image = functional.resize_image(image_CHW.as_subclass(torch.Tensor), shape, antialias=True)
        mask_1HW = mask_HW.as_subclass(torch.Tensor)[None]
        mask = functional.resize_image(mask_1HW, shape, interpolation=v2.InterpolationMode.NEAREST_EXACT)[0]
        return tv_tensors.Image(image), tv_tensors.Mask(mask)
