"""Write a data set: `python examples/street_scenes OUT --train 240 --valid 40 --test 40 --seed 7`."""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    # Started by its folder's path: the folder above must be importable for the package to find itself.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from street_scenes.dataset import Plan, write_dataset


def main() -> None:
    """Read the command line and write the data set."""
    parser = argparse.ArgumentParser(prog="street_scenes", description="Draw street scenes with exact label masks.")
    parser.add_argument("out", type=Path, help="folder to write; it must be new or empty")
    for split, count in (("train", 240), ("valid", 40), ("test", 40)):
        parser.add_argument(f"--{split}", type=int, default=count, help=f"scenes in {split} (default {count})")
    parser.add_argument("--seed", type=int, default=7, help="the same seed draws the same files (default 7)")
    parser.add_argument("--width", type=int, default=384, help="width of the pictures in pixels (default 384)")
    parser.add_argument("--height", type=int, default=288, help="height of the pictures in pixels (default 288)")
    parser.add_argument("--jobs", type=int, default=None, help="processes that draw (default: one per core)")
    given = parser.parse_args()
    counts = {"train": given.train, "valid": given.valid, "test": given.test}
    plan = Plan(counts, seed=given.seed, width_px=given.width, height_px=given.height)
    write_dataset(given.out, plan, jobs=given.jobs)


if __name__ == "__main__":
    main()
