"""Which pictures a version is made of, and under which classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fakes.datasets import SIZE
from tests.fakes.ports import fake_ports
from tests.fakes.versions import add_project, keep_picture

from atrous.bundle.preprocessing import Fit
from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidInputError, NotFoundError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.datasets.version_settings import Resize
from atrous.workspace.version_plans import plan_version
from atrous.workspace.version_sources import keep_null_share, read_source, write_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atrous.workspace.ports import Ports

EMPTY_HW = np.zeros((SIZE.height, SIZE.width), np.uint8)


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    return ports


def names(ports: Ports, **steps: Any) -> set[str]:
    keys = {key.replace("_", "-"): step for key, step in steps.items()}
    source = plan_version(ports, "acme", "road", {"preprocessing": keys}).source
    assert read_source(write_source(source)) == source
    return {picture.name for picture in source.pictures}


def test_pictures_without_a_label_are_left_out_and_counted(ports: Ports) -> None:
    add_project(ports, [keep_picture(ports, "a.png"), keep_picture(ports, "b.png", seed=1, mask_sha256=None)])
    plan = plan_version(ports, "acme", "road", {})
    assert [picture.name for picture in plan.source.pictures] == ["a.png"]
    assert "pictures without a label, which were left out: 1" in plan.settings.notes


def test_tags_choose_pictures(ports: Ports) -> None:
    tags = {"a": ("day",), "b": ("day", "wet"), "c": ("night",), "d": ()}
    add_project(ports, [keep_picture(ports, name, seed=n, tags=tags[name]) for n, name in enumerate(tags)])

    def choose(included: Iterable[str] = (), excluded: Iterable[str] = ()) -> set[str]:
        return names(ports, filter_tag={"tags": {"included": [*included], "excluded": [*excluded]}})

    assert choose(["day"]) == {"a", "b"}
    assert choose(["day", "wet"]) == {"b"}
    assert choose([], ["wet", "night"]) == {"a", "d"}
    with pytest.raises(InvalidInputError, match="filter-tag"):
        choose(["moon"])


def test_a_random_sample_is_the_same_share_of_each_split_each_time(ports: Ports) -> None:
    splits = [Split.TRAIN] * 20 + [Split.VALID] * 10 + [Split.TEST]
    add_project(ports, [keep_picture(ports, f"{n}", split, seed=n) for n, split in enumerate(splits)])
    plan = plan_version(ports, "acme", "road", {"preprocessing": {"random-sample": {"percent": 30}}})
    assert plan.expect_pictures() == {Split.TRAIN: 6, Split.VALID: 3, Split.TEST: 1}
    chosen = names(ports, random_sample={"percent": 30})
    assert chosen == names(ports, random_sample={"percent": 30})
    assert chosen < names(ports, random_sample={"percent": 60})
    assert len(names(ports, random_sample={"percent": 100})) == 31


@pytest.mark.parametrize(("percent", "kept"), [(0, 12), (25, 12), (40, 7), (50, 6), (99, 3), (100, 3)])
def test_the_null_filter_drops_no_more_than_it_must(ports: Ports, percent: float, kept: int) -> None:
    empty = [keep_picture(ports, f"empty {n}", seed=n, mask_HW=EMPTY_HW) for n in range(9)]
    add_project(ports, [*empty, *(keep_picture(ports, f"full {n}", seed=20 + n) for n in range(3))])
    found = names(ports, filter_null={"percent": percent})
    assert len(found) == kept
    assert {"full 0", "full 1", "full 2"} <= found


def test_a_mask_of_void_alone_shows_no_class(ports: Ports) -> None:
    add_project(
        ports, [keep_picture(ports, "void", mask_HW=EMPTY_HW + np.uint8(VOID_ID)), keep_picture(ports, "full", seed=1)]
    )
    assert names(ports, filter_null={"percent": 100}) == {"full"}


def test_a_class_that_was_dropped_counts_as_none(ports: Ports) -> None:
    sign_HW = np.where(np.arange(SIZE.width) < 9, np.uint8(2), np.uint8(0))[None].repeat(SIZE.height, 0)
    add_project(ports, [keep_picture(ports, "sign", mask_HW=sign_HW), keep_picture(ports, "both", seed=1)])
    assert names(ports, filter_null={"percent": 100}, remap={"sign": None}) == {"both"}


def test_a_filter_that_leaves_nothing_is_refused(ports: Ports) -> None:
    with pytest.raises(InvalidInputError, match="filter-null"):
        keep_null_share([1, 2], 50, shows_class=lambda _: False, key=str)


@pytest.mark.parametrize(
    ("remap", "named"),
    [
        ({"car": "road"}, "'road', 'sign'"),
        ({"background": "road"}, "'background'"),
        ({"road": None, "sign": ""}, "leaves no class"),
        ({"road": " x"}, "' x'"),
        ({"road": "SIGN"}, "'sign'"),
    ],
)
def test_classes_that_cannot_be_are_refused(ports: Ports, remap: dict[str, Any], named: str) -> None:
    add_project(ports)
    with pytest.raises(InvalidInputError, match=named):
        names(ports, remap=remap)


def test_a_remap_that_changes_nothing_bakes_nothing(ports: Ports) -> None:
    add_project(ports)
    plan = plan_version(ports, "acme", "road", {"preprocessing": {"remap": {"road": "street"}}})
    assert plan.class_map.names == ("background", "street", "sign")
    assert plan.source.new_ids is None


def test_a_size_that_nobody_gave_is_chosen_and_said(ports: Ports) -> None:
    sizes = [Size(720, 1280), Size(720, 1280), Size(100, 100)]
    add_project(ports, [keep_picture(ports, f"{n}", seed=n, size=size) for n, size in enumerate(sizes)])
    plan = plan_version(ports, "acme", "road", {})
    assert plan.settings.resize == Resize(640, 352, Fit.STRETCH)
    assert plan.preprocessing.size == Size(352, 640)
    assert any("640x352" in note for note in plan.settings.notes)


def test_each_plan_has_a_source_of_its_own(ports: Ports) -> None:
    add_project(ports)
    first, second = (write_source(plan_version(ports, "acme", "road", {}).source) for _ in range(2))
    assert first != second


def test_what_is_not_there_is_not_found(ports: Ports) -> None:
    with pytest.raises(NotFoundError, match="'road'"):
        plan_version(ports, "acme", "road", {})
