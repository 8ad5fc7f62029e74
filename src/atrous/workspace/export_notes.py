"""What is said about a version in the text files of its exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.workspace.records import Version


def describe_dataset(version: Version) -> str:
    """What the pictures are."""
    counts = ", ".join(f"{count} {split}" for split, count in version.pictures.items())
    lines = [
        f"{version.project}, version {version.number}" + (f": {version.name}" if version.name else ""),
        "",
        f"{sum(version.pictures.values())} pictures ({counts}) with a label mask each.",
        f"Classes: {', '.join(version.class_map.names)}.",
        f"Made on {version.created:%Y-%m-%d %H:%M} UTC; content {version.content_sha256}.",
    ]
    return "\n".join(lines) + "\n"


def describe_export(version: Version, format_name: str) -> str:
    """What was done to the pictures, in prose."""
    settings = version.settings
    lines = [
        f"{version.id} in the format {format_name}.",
        "",
        f"The dataset has {sum(version.pictures.values())} pictures of {version.preprocessing.size} pixels.",
        "",
        *_list_steps("To each picture was done:", settings.get("preprocessing", {})),
        "",
        *_list_steps("Training pictures were varied by:", settings.get("augmentation", {})),
    ]
    if settings.get("notes"):
        lines += ["", "Notes:", *(f"* {note}" for note in settings["notes"])]
    return "\n".join(lines) + "\n"


def _list_steps(title: str, steps: Mapping[str, Any]) -> list[str]:
    taken = {name: step for name, step in steps.items() if step.get("enabled")}
    if not taken:
        return [f"{title} nothing."]
    return [title, *(f"* {name}{_list_values(step)}" for name, step in taken.items())]


def _list_values(step: Mapping[str, Any]) -> str:
    values = ", ".join(f"{key} {value}" for key, value in step.items() if key != "enabled")
    return f" ({values})" if values else ""
