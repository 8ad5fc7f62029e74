"""A model's networks in float32 and in 8 bits, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atrous.cli.terminal import percent
from atrous.evaluation.about import Network

if TYPE_CHECKING:
    from collections.abc import Mapping


def describe_int8(metrics: Mapping[str, Any]) -> str:
    """What a model's metrics say of its network in 8 bits."""
    if "int8_miou" in metrics:
        return (
            f"int8: mIoU {percent(metrics['int8_miou'])} on valid by plain winner, "
            f"{metrics['int8_bytes'] / 1e6:.1f} MB instead of {metrics['fp32_bytes'] / 1e6:.1f} MB"
        )
    return f"int8: {metrics.get('int8_reason', 'the model has no network in 8 bits')}"


def list_networks(metrics: Mapping[str, Any]) -> tuple[Network, ...]:
    """A model's networks with their scores, that in float32 first."""
    fp32 = Network("fp32", metrics.get("miou"), metrics.get("fp32_bytes"))
    if "int8_miou" not in metrics:
        return (fp32,)
    return fp32, Network("int8", metrics["int8_miou"], metrics["int8_bytes"])


def show_int8(metrics: Mapping[str, Any]) -> str:
    """The same for a cell of a table: mIoU, and size instead of that in float32."""
    if "int8_miou" not in metrics:
        return "n/a"
    int8_mb, fp32_mb = metrics["int8_bytes"] / 1e6, metrics["fp32_bytes"] / 1e6
    return f"{percent(metrics['int8_miou'])}, {int8_mb:.1f} of {fp32_mb:.1f} MB"
