from __future__ import annotations

from collections import Counter

from atrous.datasets.splits import Split, hold_out_valid, split_by_hash

NAMES = [f"frame_{number}.jpg" for number in range(5000)]


def test_split_by_hash_has_the_shares_it_promises() -> None:
    counts = Counter(split_by_hash(name) for name in NAMES)
    # Five thousand draws: three standard deviations are 2 %.
    assert abs(counts[Split.TRAIN] / len(NAMES) - 0.7) < 0.02
    assert abs(counts[Split.VALID] / len(NAMES) - 0.2) < 0.02


def test_split_by_hash_never_changes() -> None:
    assert "".join(split_by_hash(name)[1] for name in NAMES[:20]) == "raarrrrrrrarreararra"


def test_held_out_pictures_are_a_fifth() -> None:
    counts = Counter(hold_out_valid(name) for name in NAMES)
    assert abs(counts[Split.VALID] / len(NAMES) - 0.2) < 0.02
    assert counts[Split.TEST] == 0


def test_copies_of_one_source_stay_together() -> None:
    for number in range(50):
        copies = [f"{folder}/f{number}_jpg.rf.{copy}.jpg" for copy in ("a1", "b2", "c3") for folder in ("x", "y")]
        assert len({split_by_hash(copy) for copy in copies}) == 1
        assert len({hold_out_valid(copy) for copy in copies}) == 1
