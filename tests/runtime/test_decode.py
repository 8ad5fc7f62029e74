from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bundle import obvious

from atrous.bundle.preprocessing import Fit, Placement, Preprocessing, place_picture
from atrous.bundle.regions import StaticCrop
from atrous.core.sizes import Size
from atrous.runtime.crew import Crew
from atrous.runtime.decode import Prediction, apply_threshold, decode_answer, decode_logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Logits of 10 differ by 1e-6 after a resize in float32, which moves a probability by at most a quarter of that; ours
# also adds up many classes.
TOLERANCE = 2e-5


def draw_logits(classes: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 4, (classes, height, width)).astype(np.float32)


def stretch(picture: tuple[int, int]) -> Placement:
    return place_picture(Size(*picture), Preprocessing(Size(height=64, width=64)))


# The obvious way: one pixel at a time, all classes at the picture's size, softmax, argmax.


def weigh(source: int, target: int, index: int) -> NDArray[np.float64]:
    """How much each of the source's pixels counts for one of the target's."""
    centre = (index + 0.5) * source / target - 0.5
    weights = np.zeros(source)
    if target >= source:
        below = int(np.floor(centre))
        for neighbour, weight in ((below, below + 1 - centre), (below + 1, centre - below)):
            weights[min(max(neighbour, 0), source - 1)] += weight
        return weights
    reach = source / target
    for neighbour in range(source):
        weights[neighbour] = max(0.0, 1 - abs(neighbour - centre) / reach)
    return weights / weights.sum()


def resize_obviously(plane_hw: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    resized_HW = np.zeros((height, width))
    for y in range(height):
        rows = weigh(plane_hw.shape[0], height, y)
        for x in range(width):
            columns = weigh(plane_hw.shape[1], width, x)
            resized_HW[y, x] = (plane_hw * rows[:, None] * columns[None, :]).sum()
    return resized_HW


def decode_obviously(logits_Khw: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """Probabilities [K, H, W]."""
    scores_KHW = np.stack([resize_obviously(plane_hw, height, width) for plane_hw in logits_Khw])
    shares_KHW = np.exp(scores_KHW - scores_KHW.max(axis=0))
    return shares_KHW / shares_KHW.sum(axis=0)


def assert_decodes_obviously(prediction: Prediction, logits_Khw: NDArray[np.float32], height: int, width: int) -> None:
    shares_KHW = decode_obviously(logits_Khw, height, width)
    assert prediction.mask_HW.shape == prediction.confidence_HW.shape == (height, width)
    assert (prediction.mask_HW.dtype, prediction.confidence_HW.dtype) == (np.uint8, np.float32)
    np.testing.assert_allclose(prediction.confidence_HW, shares_KHW.max(axis=0), atol=TOLERANCE, rtol=0)
    # Where two classes are as good as equal, either may win.
    chosen_HW = np.take_along_axis(shares_KHW, prediction.mask_HW[None].astype(int), 0)[0]
    np.testing.assert_allclose(chosen_HW, shares_KHW.max(axis=0), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    ("logits", "picture"),
    [
        ((8, 8), (8, 8)),
        ((4, 6), (16, 24)),
        ((5, 7), (13, 9)),
        ((3, 3), (31, 5)),
        ((16, 16), (5, 7)),
        ((16, 16), (1, 1)),
        ((4, 16), (9, 5)),
        ((16, 4), (5, 9)),
        ((1, 1), (6, 4)),
        ((1, 9), (7, 1)),
        ((4, 4), (1, 20)),
        ((4, 4), (4, 1)),
    ],
    ids=str,
)
def test_logits_are_brought_to_the_pictures_size_as_the_obvious_way_does(
    logits: tuple[int, int], picture: tuple[int, int]
) -> None:
    logits_Khw = draw_logits(4, *logits)
    assert_decodes_obviously(decode_logits(logits_Khw, stretch(picture)), logits_Khw, *picture)


@given(
    logits=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    picture=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    classes=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_no_shape_is_special(logits: tuple[int, int], picture: tuple[int, int], classes: int, seed: int) -> None:
    logits_Khw = draw_logits(classes, *logits, seed=seed)
    assert_decodes_obviously(decode_logits(logits_Khw, stretch(picture)), logits_Khw, *picture)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize(
    ("picture", "inner"),
    [
        ((10, 20), np.s_[16:48, :]),  # 32 x 64 in the middle of 64 x 64
        ((20, 10), np.s_[:, 16:48]),
        ((64, 64), np.s_[:, :]),
    ],
)
def test_padding_is_cut_before_anything_is_resized(
    picture: tuple[int, int], inner: tuple[slice, slice], stride: int
) -> None:
    side = 64 // stride
    logits_Khw = draw_logits(3, side, side)
    kept = tuple(slice(part.start and part.start // stride, part.stop and part.stop // stride) for part in inner)
    placement = place_picture(Size(*picture), Preprocessing(Size(height=64, width=64), Fit.LETTERBOX_GREY))
    prediction = decode_logits(logits_Khw, placement)
    assert_decodes_obviously(prediction, logits_Khw[(slice(None), *kept)], *picture)


@pytest.mark.parametrize("picture", [(1, 1000), (1000, 1)])
def test_a_strip_thinner_than_a_logit_keeps_one_row_of_logits(picture: tuple[int, int]) -> None:
    placement = place_picture(Size(*picture), Preprocessing(Size(height=64, width=64), Fit.LETTERBOX_BLACK))
    prediction = decode_logits(draw_logits(3, 4, 4), placement)
    assert prediction.mask_HW.shape == picture
    assert np.isfinite(prediction.confidence_HW).all()


@given(
    picture=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    canvas=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    fit=st.sampled_from(list(Fit)),
    crop=st.none() | st.tuples(st.integers(0, 49), st.integers(0, 49), st.integers(50, 100), st.integers(50, 100)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_what_was_seen_comes_back_where_it_was_and_the_rest_is_background(
    picture: tuple[int, int],
    canvas: tuple[int, int],
    fit: Fit,
    crop: tuple[int, int, int, int] | None,
    seed: int,
) -> None:
    preprocessing = Preprocessing(Size(*canvas), fit, crop=StaticCrop(*crop) if crop else None)
    logits_KHW = draw_logits(3, *canvas, seed=seed)
    prediction = decode_logits(logits_KHW, place_picture(Size(*picture), preprocessing))
    rows, columns = obvious.place(picture, canvas, fit.value, crop)
    inner_KHW = logits_KHW[:, rows.before : rows.before + rows.inner, columns.before : columns.before + columns.inner]
    seen = np.s_[rows.start : rows.start + rows.seen, columns.start : columns.start + columns.seen]
    assert prediction.mask_HW.shape == prediction.confidence_HW.shape == picture
    inside = Prediction(prediction.mask_HW[seen], prediction.confidence_HW[seen])
    assert_decodes_obviously(inside, inner_KHW, rows.seen, columns.seen)
    prediction.confidence_HW[seen] = 0
    prediction.mask_HW[seen] = 0
    assert not prediction.confidence_HW.any()
    assert not prediction.mask_HW.any()


def test_outside_a_crop_is_background_of_confidence_0_whatever_the_threshold() -> None:
    placement = place_picture(Size(4, 8), Preprocessing(Size(4, 4), crop=StaticCrop(0, 0, 50, 100)))
    logits_KHW = np.zeros((3, 4, 4), np.float32)
    logits_KHW[2] = 9
    for threshold in (0.0, 0.01, 0.4):
        kept = apply_threshold(decode_logits(logits_KHW, placement), threshold)
        assert kept.mask_HW.tolist() == [[2, 2, 2, 2, 0, 0, 0, 0]] * 4
        assert not kept.confidence_HW[:, 4:].any()
        assert (kept.mask_HW.dtype, kept.confidence_HW.dtype) == (np.uint8, np.float32)


def test_the_first_of_equal_classes_wins() -> None:
    prediction = decode_logits(np.zeros((5, 2, 2), np.float32), stretch((6, 6)))
    np.testing.assert_array_equal(prediction.mask_HW, 0)
    np.testing.assert_allclose(prediction.confidence_HW, 1 / 5, rtol=1e-6)


def test_the_last_of_255_classes_can_win() -> None:
    logits_Khw = np.zeros((255, 1, 1), np.float32)
    logits_Khw[254] = 20
    prediction = decode_logits(logits_Khw, stretch((2, 3)))
    np.testing.assert_array_equal(prediction.mask_HW, 254)
    np.testing.assert_allclose(prediction.confidence_HW, 1 / (1 + 254 * np.exp(-20)), rtol=1e-6)


@pytest.mark.parametrize("offset", [-1e4, 1e4])
def test_large_scores_overflow_nothing(offset: float) -> None:
    logits_Khw = draw_logits(3, 4, 4)
    shifted = decode_logits(logits_Khw + np.float32(offset), stretch((8, 8)))
    plain = decode_logits(logits_Khw, stretch((8, 8)))
    # At 10000 the steps of float32 are 1e-3; resizing takes a few of them.
    np.testing.assert_allclose(shifted.confidence_HW, plain.confidence_HW, atol=2e-3)


def test_a_far_ahead_winner_has_confidence_1() -> None:
    logits_Khw = np.array([-500, 900, -500], np.float32).reshape(3, 1, 1)
    prediction = decode_logits(logits_Khw, stretch((3, 3)))
    np.testing.assert_array_equal(prediction.confidence_HW, 1)
    np.testing.assert_array_equal(prediction.mask_HW, 1)


def test_logits_are_not_changed() -> None:
    logits_Khw = draw_logits(3, 5, 5)
    before = logits_Khw.copy()
    decode_logits(logits_Khw, stretch((9, 9)))
    np.testing.assert_array_equal(logits_Khw, before)


def test_resizing_is_what_torch_calls_antialiased_bilinear() -> None:
    torch = pytest.importorskip("torch")
    for picture in ((40, 30), (9, 30), (40, 5), (7, 6)):
        logits_Khw = draw_logits(3, 20, 15)
        resized = torch.nn.functional.interpolate(
            torch.from_numpy(logits_Khw)[None], size=picture, mode="bilinear", align_corners=False, antialias=True
        )
        shares, winners = resized[0].softmax(0).max(0)
        prediction = decode_logits(logits_Khw, stretch(picture))
        np.testing.assert_allclose(prediction.confidence_HW, shares.numpy(), atol=TOLERANCE)
        np.testing.assert_array_equal(prediction.mask_HW, winners.numpy())


# What is done with a prediction


def make_prediction() -> Prediction:
    return Prediction(
        np.array([[1, 2, 0], [3, 1, 2]], np.uint8), np.array([[0.3, 0.4, 0.9], [0.39999, 1.0, 0.5]], np.float32)
    )


def test_below_the_threshold_is_background_of_confidence_0() -> None:
    kept = apply_threshold(make_prediction(), 0.4)
    np.testing.assert_array_equal(kept.mask_HW, [[0, 2, 0], [0, 1, 2]])
    np.testing.assert_array_equal(kept.confidence_HW, np.array([[0, 0.4, 0.9], [0, 1, 0.5]], np.float32))
    assert (kept.mask_HW.dtype, kept.confidence_HW.dtype) == (np.uint8, np.float32)


def test_a_threshold_of_0_keeps_everything_and_changes_nothing() -> None:
    before = make_prediction()
    kept = apply_threshold(before, 0)
    np.testing.assert_array_equal(kept.mask_HW, before.mask_HW)
    np.testing.assert_array_equal(kept.confidence_HW, before.confidence_HW)
    apply_threshold(before, 1.1)
    np.testing.assert_array_equal(before.mask_HW, make_prediction().mask_HW)


def test_only_certainty_passes_a_threshold_of_1() -> None:
    np.testing.assert_array_equal(apply_threshold(make_prediction(), 1).mask_HW, [[0, 0, 0], [0, 1, 0]])


# The answer: both steps in one pass


def soften(classes: int, height: int, width: int, seed: int) -> NDArray[np.float32]:
    """Logits of regions, as trained networks give them: one class far ahead nearly everywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, classes, (height // 4 + 1, width // 4 + 1))
    winners_hw = np.kron(coarse, np.ones((4, 4), int))[:height, :width]
    logits_Khw = rng.normal(0, 1, (classes, height, width)).astype(np.float32)
    np.put_along_axis(logits_Khw, winners_hw[None], rng.normal(14, 4, (1, height, width)).astype(np.float32), 0)
    return logits_Khw


@pytest.mark.parametrize("classes", [2, 3, 12, 255])
@pytest.mark.parametrize("picture", [(150, 170), (33, 200), (7, 5), (600, 20)], ids=str)
@pytest.mark.parametrize("threshold", [0.0, 0.4, 0.9])
def test_an_answer_is_the_prediction_after_its_threshold(
    classes: int, picture: tuple[int, int], threshold: float
) -> None:
    logits_Khw = soften(classes, 24, 32, seed=classes)
    prediction = decode_logits(logits_Khw, stretch(picture))
    answer = decode_answer(logits_Khw, stretch(picture), threshold)
    kept = apply_threshold(prediction, threshold)
    # Where confidence is as good as the threshold, either side of it is right.
    is_clear_HW = np.abs(prediction.confidence_HW - threshold) > 1 / 255
    np.testing.assert_array_equal(answer.mask_HW[is_clear_HW], kept.mask_HW[is_clear_HW])
    levels_HW = np.floor(kept.confidence_HW * 255)
    assert np.abs(answer.levels_HW - levels_HW)[is_clear_HW].max() <= 1
    assert (answer.mask_HW.dtype, answer.levels_HW.dtype) == (np.uint8, np.uint8)


def test_confidence_levels_are_truncated() -> None:
    # Two classes, the second one ahead by the logit of the confidence wanted.
    wanted = np.array([0.5, 0.61, 0.9, 0.99, 1.0])
    with np.errstate(divide="ignore"):
        ahead = np.minimum(np.log(wanted / (1 - wanted)), 50)
    logits_Khw = np.stack([np.zeros(5), ahead]).reshape(2, 1, 5).astype(np.float32)
    answer = decode_answer(logits_Khw, stretch((1, 5)), 0)
    assert answer.levels_HW.tolist() == [[127, 155, 229, 252, 255]]


@pytest.mark.parametrize("threshold", [0.9995, 1.0])
def test_only_certainty_passes_a_threshold_near_1(threshold: float) -> None:
    # 0.999 and as good as 1: a difference that levels do not show.
    logits_Khw = np.array([[7, 30], [0, 0]], np.float32).reshape(2, 1, 2)[::-1].copy()
    answer = decode_answer(logits_Khw, stretch((1, 2)), threshold)
    assert answer.mask_HW.tolist() == [[0, 1]]
    assert answer.levels_HW.tolist() == [[0, 255]]


@pytest.mark.parametrize("fit", [Fit.LETTERBOX_GREY, Fit.CENTER_CROP])
def test_an_answer_lies_where_its_prediction_lies(fit: Fit) -> None:
    placement = place_picture(Size(100, 60), Preprocessing(Size(64, 64), fit, crop=StaticCrop(10, 20, 70, 90)))
    logits_Khw = soften(5, 16, 16, seed=1)
    answer, prediction = decode_answer(logits_Khw, placement, 0), decode_logits(logits_Khw, placement)
    np.testing.assert_array_equal(answer.mask_HW, prediction.mask_HW)


def test_helpers_change_nothing() -> None:
    logits_Khw = soften(5, 16, 16, seed=2)
    helped = decode_answer(logits_Khw, stretch((700, 90)), 0.4, Crew(3))
    alone = decode_answer(logits_Khw, stretch((700, 90)), 0.4)
    np.testing.assert_array_equal(helped.mask_HW, alone.mask_HW)
    np.testing.assert_array_equal(helped.levels_HW, alone.levels_HW)


def test_a_network_that_answers_no_numbers_breaks_nothing() -> None:
    logits_Khw = np.full((3, 4, 4), np.nan, np.float32)
    assert decode_answer(logits_Khw, stretch((20, 20)), 0.4).mask_HW.shape == (20, 20)
