from __future__ import annotations

import numpy as np

from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size
from atrous.datasets.cross_checks import find_across, find_leaks, find_moves
from atrous.datasets.facts import PictureFacts
from atrous.datasets.findings import WHOLE_DATASET, Kind
from atrous.datasets.fixes import Fix
from atrous.datasets.splits import Split

CLASS_MAP = ClassMap(("background", "road", "sign"))
LOOKS = np.random.default_rng(0).integers(0, 256, (20, 32), dtype=np.uint8)


def picture(name: str, split: Split, look: int, class_ids: tuple[int, ...] = (0, 1, 2)) -> PictureFacts:
    pixels = dict.fromkeys(class_ids, 10)
    return PictureFacts(name, split, Size(8, 8), name.ljust(64, "0"), LOOKS[look].tobytes(), pixels)


def test_dataset_without_faults_has_no_findings() -> None:
    facts = [picture(f"{split}/{n}.jpg", split, 4 * index + n) for index, split in enumerate(Split) for n in range(4)]
    names = [one.name.rpartition("/")[2] for one in facts]
    assert len(set(names)) < len(names)
    (finding,) = find_across(facts, CLASS_MAP)
    assert finding.kind is Kind.REPEATED_NAME
    assert "12 pictures share 4 names, such as 0.jpg" in finding.reason


def test_near_duplicate_is_blamed_on_the_picture_that_is_scored() -> None:
    (finding,) = find_leaks([picture("a.jpg", Split.TRAIN, 0), picture("b.jpg", Split.VALID, 0)])
    assert (finding.kind, finding.file) == (Kind.NEAR_DUPLICATE_ACROSS_SPLITS, "b.jpg")
    assert (finding.other_file, finding.fix) == ("a.jpg", Fix.COPIES_TO_TRAIN)


def test_near_duplicates_within_a_split_are_none_of_our_business() -> None:
    assert find_leaks([picture(name, Split.VALID, 0) for name in ("a.jpg", "b.jpg")]) == []


def test_valid_and_test_that_share_a_scene_are_found_but_cannot_be_mended_by_train() -> None:
    (finding,) = find_leaks([picture("a.jpg", Split.TEST, 0), picture("b.jpg", Split.VALID, 0)])
    assert (finding.file, finding.fix) == ("a.jpg", None)


def test_picture_that_goes_to_train_takes_others_with_it() -> None:
    facts = [
        picture("a.rf.1.jpg", Split.TRAIN, 0),
        picture("a.rf.2.jpg", Split.VALID, 1),
        picture("b.jpg", Split.TEST, 1),
        picture("c.jpg", Split.TEST, 2),
    ]
    assert find_moves(facts) == {"a.rf.2.jpg", "b.jpg"}


def test_copies_by_name_are_found_though_they_look_different() -> None:
    facts = [picture("train/a_jpg.rf.1.jpg", Split.TRAIN, 0), picture("test/a_jpg.rf.2.jpg", Split.TEST, 1)]
    (finding,) = find_leaks(facts)
    assert (finding.kind, finding.file) == (Kind.COPY_ACROSS_SPLITS, "test/a_jpg.rf.2.jpg")


def test_copy_by_name_that_looks_the_same_is_one_finding() -> None:
    facts = [picture("a_jpg.rf.1.jpg", Split.TRAIN, 0), picture("a_jpg.rf.2.jpg", Split.TEST, 0)]
    assert [finding.kind for finding in find_leaks(facts)] == [Kind.COPY_ACROSS_SPLITS]


def test_classes_that_are_never_seen_are_named_together() -> None:
    (finding,) = find_across([picture("a.jpg", Split.TRAIN, 0, (0,))], CLASS_MAP)
    assert (finding.kind, finding.file) == (Kind.CLASS_NEVER_SEEN, WHOLE_DATASET)
    assert finding.reason == "not one pixel shows 2 classes: 'road', 'sign'"
    assert str(finding).startswith("the dataset: not one pixel")


def test_class_that_train_never_shows_is_named() -> None:
    facts = [picture("a.jpg", Split.TRAIN, 0, (0, 1)), picture("b.jpg", Split.VALID, 1, (1, 2))]
    (finding,) = find_across(facts, CLASS_MAP)
    assert finding.reason == "no picture of train shows class 'sign', which other splits do"
