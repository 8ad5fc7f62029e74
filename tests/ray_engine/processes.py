"""The processes that Ray has on this machine."""

from __future__ import annotations

from pathlib import Path


def find_processes(title: str) -> set[int]:
    """Those of our own cluster whose title begins so."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _has_title(path, title)}


def _has_title(path: Path, title: str) -> bool:
    try:
        return (path / "cmdline").read_bytes().startswith(title.encode()) and _is_ours(path)
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    """Whether this process has started it, or whoever did: another one's cluster is left alone."""
    ours = Path("/proc/self").resolve()
    while path.name not in {"0", "1"}:
        if path == ours:
            return True
        path = path.parent / (path / "stat").read_text().rpartition(")")[2].split()[1]
    return False
