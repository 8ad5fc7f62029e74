from __future__ import annotations

from collections import Counter

import pytest

from atrous.datasets.splits import Split, SplitRule, Splittable, choose_splits, source_of_copy, split_for_now

EVERYWHERE, RARE = 1, 2


def draw(count: int, rare: int = 0) -> list[Splittable]:
    """Pictures that all show one class; the first few show a rare one too."""
    return [
        Splittable(f"{n}.jpg", f"{n:064x}", frozenset({EVERYWHERE, RARE} if n < rare else {EVERYWHERE}))
        for n in range(count)
    ]


def test_shares_are_exact() -> None:
    assert Counter(choose_splits(draw(100), SplitRule.THREE_WAY).values()) == {
        Split.TRAIN: 70,
        Split.VALID: 20,
        Split.TEST: 10,
    }
    assert Counter(choose_splits(draw(50), SplitRule.HOLD_OUT).values()) == {Split.TRAIN: 40, Split.VALID: 10}


def test_rare_class_is_in_every_split_by_its_share() -> None:
    pictures = draw(1000, rare=10)
    splits = choose_splits(pictures, SplitRule.THREE_WAY)
    rare = Counter(splits[picture.image_sha256] for picture in pictures if RARE in picture.class_ids)
    assert rare == {Split.TRAIN: 7, Split.VALID: 2, Split.TEST: 1}
    assert Counter(splits.values()) == {Split.TRAIN: 700, Split.VALID: 200, Split.TEST: 100}


def test_order_of_pictures_does_not_matter() -> None:
    pictures = draw(60, rare=7)
    assert choose_splits(pictures[::-1], SplitRule.THREE_WAY) == choose_splits(pictures, SplitRule.THREE_WAY)


def test_copies_of_one_source_stay_together() -> None:
    pictures = [
        Splittable(f"f{n}_jpg.rf.{copy}.jpg", f"{n}{copy}", frozenset({EVERYWHERE}))
        for n in range(40)
        for copy in "abc"
    ]
    splits = choose_splits(pictures, SplitRule.THREE_WAY)
    assert all(len({splits[f"{n}{copy}"] for copy in "abc"}) == 1 for n in range(40))
    assert set(splits.values()) == set(Split)


def test_copies_go_where_their_source_is_already() -> None:
    copies = [Splittable(f"f_jpg.rf.{copy}.jpg", copy, frozenset({EVERYWHERE})) for copy in "ab"]
    assert choose_splits(copies[:1], SplitRule.THREE_WAY, [(copies[1], Split.TEST)]) == {"a": Split.TEST}


def test_pictures_that_come_one_by_one_reach_the_shares_too() -> None:
    settled: list[tuple[Splittable, Split]] = []
    for picture in draw(50, rare=10):
        (split,) = choose_splits([picture], SplitRule.THREE_WAY, settled).values()
        settled.append((picture, split))
    assert Counter(split for _, split in settled) == {Split.TRAIN: 35, Split.VALID: 10, Split.TEST: 5}
    rare = Counter(split for picture, split in settled if RARE in picture.class_ids)
    assert rare == {Split.TRAIN: 7, Split.VALID: 2, Split.TEST: 1}


def test_no_picture_is_forced_into_valid_where_there_is_one() -> None:
    one, two, *rest = draw(30)
    settled = [(picture, Split.VALID if n < 8 else Split.TRAIN) for n, picture in enumerate(rest)]
    assert set(choose_splits([one, two], SplitRule.HOLD_OUT, settled).values()) == {Split.TRAIN}


@pytest.mark.parametrize("rule", SplitRule)
def test_two_pictures_give_a_train_and_a_valid_split(rule: SplitRule) -> None:
    splits = choose_splits(draw(2), rule)
    assert Split.TRAIN in splits.values()
    assert len(set(splits.values())) == 2


def test_split_for_now_keeps_copies_together_and_uses_every_split() -> None:
    copies = {split_for_now(Splittable(f"a.rf.{n}.jpg", str(n), frozenset()), SplitRule.THREE_WAY) for n in range(20)}
    assert len(copies) == 1
    found = Counter(split_for_now(picture, SplitRule.THREE_WAY) for picture in draw(2000))
    assert abs(found[Split.TRAIN] - 1400) < 100
    assert abs(found[Split.TEST] - 200) < 60


@pytest.mark.parametrize(
    ("name", "source"),
    [("a/b_jpg.rf.0f3a.jpg", "b_jpg"), ("a/0001.jpg", None), ("x.rf.1.rf.2.png", "x")],
)
def test_source_of_copy(name: str, source: str | None) -> None:
    assert source_of_copy(name) == source
