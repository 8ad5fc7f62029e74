"""Logits to classes and confidence, compiled: one pass over the picture, a block of pixels at a time.

Within a block, bilinear interpolation stays between the smallest and the largest of the logits around it. So a class
whose largest lies far below the smallest of another cannot win there and adds next to nothing to the softmax: it is
left out. Most blocks are left with one class or two, however many the network knows.

Axes: K classes, h w the grid of the logits, H W the window of the picture that the grid covers. Axis `i` of a buffer
runs over the pixels of a block's row.
"""

# Compiled from their values: types are found by the compiler, not written down.
# pyright: basic

from __future__ import annotations

import math
from typing import Any

import numpy as np

from atrous.runtime.compiling import compiled

BLOCK_HEIGHT, BLOCK_WIDTH = 16, 128
# Lines of the grid that a block can touch.
GRID_HEIGHT = BLOCK_HEIGHT + 2
LEVELS = np.float32(255)
LOG2_E = np.float32(1 / math.log(2))
# Minimax polynomial of 2**f, f in [-0.5, 0.5], highest power first; relative error below 2e-7.
POWERS = tuple(
    np.float32(factor)
    for factor in (1.5353362e-4, 1.3398874e-3, 9.6184374e-3, 5.5503325e-2, 0.24022648, 0.6931472, 1.0)
)
SMALLEST_POWER = np.float32(-126)
EXPONENT_BIAS, EXPONENT_SHIFT = 127, 23

# Sums may be reordered and multiplications fused; NaN and infinity keep their meaning. No interpreter lock.
fast: Any = compiled(nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})


def margin_of(error: float, classes: int) -> np.float32:
    """How far below the surest class others may be left out, so that confidence is off by `error` at most."""
    return np.float32(math.log((classes - 1) / error))


@fast
def decode_rows(logits_Khw, rows, columns, first, last, margin, threshold, top, left, mask, confidence, levels):
    """Fill rows `first` to `last`, the last one excluded, of a window that is at least as large as the grid.

    Args:
        logits_Khw: float32, C order.
        rows, columns: `pixels.Axis` of the window's height and width.
        first, last: rows of the window.
        margin: float32, classes this far below the surest one are left out.
        threshold: float32, pixels of less confidence become background of confidence 0.
        top, left: where the window lies in the picture.
        mask: uint8 of the picture's size, filled with the winning class.
        confidence: float32, filled with its softmax probability; of size 0 to fill `levels` instead.
        levels: uint8, filled with 255 times that, truncated; of size 0 to fill `confidence`.
    """
    classes, height, width = logits_Khw.shape
    y0_H, y_weight_H = rows.before, rows.share_after
    x0_W, x_weight_W = columns.before, columns.share_after
    kept = np.empty(classes, np.int64)
    highest_Kw, lowest_Kw = np.empty((classes, width), np.float32), np.empty((classes, width), np.float32)
    lines = np.empty((classes, GRID_HEIGHT, BLOCK_WIDTH), np.float32)
    scores = np.empty((classes, BLOCK_WIDTH), np.float32)
    best, total = np.empty(BLOCK_WIDTH, np.float32), np.empty(BLOCK_WIDTH, np.float32)
    winners, exponents = np.empty(BLOCK_WIDTH, np.int32), np.empty(BLOCK_WIDTH, np.int32)
    for block_top in range(first, last, BLOCK_HEIGHT):
        bottom = min(block_top + BLOCK_HEIGHT, last)
        upper, lower = y0_H[block_top], min(y0_H[bottom - 1] + 1, height - 1)
        _bound_columns(logits_Khw, upper, lower, highest_Kw, lowest_Kw)
        for block_left in range(0, len(x0_W), BLOCK_WIDTH):
            right = min(block_left + BLOCK_WIDTH, len(x0_W))
            start, stop = x0_W[block_left], min(x0_W[right - 1] + 2, width)
            count = _keep_classes(highest_Kw, lowest_Kw, start, stop, margin, kept)
            xs = slice(left + block_left, left + right)
            if count == 1:
                ys = slice(top + block_top, top + bottom)
                mask[ys, xs] = kept[0] if threshold <= 1 else 0
                _fill_certain(threshold, ys, xs, confidence, levels)
                continue
            for c in range(count):
                for y in range(upper, lower + 1):
                    _spread_line(
                        logits_Khw[kept[c], y],
                        x0_W[block_left:right],
                        x_weight_W[block_left:right],
                        lines[c, y - upper],
                    )
            for y in range(block_top, bottom):
                above, below = y0_H[y] - upper, min(y0_H[y] + 1, height - 1) - upper
                _score(lines, above, below, y_weight_H[y], kept, count, scores, best, winners)
                _sum_softmax(scores, count, best, exponents, total)
                if levels.size:
                    _store_levels(total, threshold, winners, mask[top + y, xs], levels[top + y, xs])
                else:
                    _store_confidence(total, threshold, winners, mask[top + y, xs], confidence[top + y, xs])


@fast
def _fill_certain(threshold, ys, xs, confidence, levels):
    """Confidence of a block that one class has to itself."""
    is_sure = threshold <= 1
    if levels.size:
        levels[ys, xs] = np.uint8(255) if is_sure else np.uint8(0)
    else:
        confidence[ys, xs] = np.float32(1) if is_sure else np.float32(0)


@fast
def _store_levels(total, threshold, winners, mask_row, level_row):
    for i in range(len(mask_row)):
        confidence = np.float32(1) / total[i]
        is_sure = confidence >= threshold
        mask_row[i] = winners[i] if is_sure else 0
        level_row[i] = np.int32(confidence * LEVELS) if is_sure else 0


@fast
def _store_confidence(total, threshold, winners, mask_row, confidence_row):
    for i in range(len(mask_row)):
        confidence = np.float32(1) / total[i]
        is_sure = confidence >= threshold
        mask_row[i] = winners[i] if is_sure else 0
        confidence_row[i] = confidence if is_sure else np.float32(0)


@fast
def _bound_columns(logits_Khw, first, last, highest_Kw, lowest_Kw):
    """The largest and smallest logit of each class and column in rows `first` to `last`, both included."""
    classes, _, width = logits_Khw.shape
    for k in range(classes):
        for x in range(width):
            highest_Kw[k, x] = lowest_Kw[k, x] = logits_Khw[k, first, x]
        for y in range(first + 1, last + 1):
            for x in range(width):
                highest_Kw[k, x] = max(highest_Kw[k, x], logits_Khw[k, y, x])
                lowest_Kw[k, x] = min(lowest_Kw[k, x], logits_Khw[k, y, x])


@fast
def _keep_classes(highest_Kw, lowest_Kw, start, stop, margin, kept):
    """List the classes that matter in a range of columns, and give how many there are."""
    surest = np.float32(-np.inf)
    for k in range(len(lowest_Kw)):
        lowest = lowest_Kw[k, start]
        for x in range(start + 1, stop):
            lowest = min(lowest, lowest_Kw[k, x])
        surest = max(surest, lowest)
    count = 0
    for k in range(len(highest_Kw)):
        highest = highest_Kw[k, start]
        for x in range(start + 1, stop):
            highest = max(highest, highest_Kw[k, x])
        if highest > surest - margin:
            kept[count] = k
            count += 1
    if not count:
        # NaN compares with nothing: whatever comes of it, it comes of all classes.
        for k in range(len(kept)):
            kept[k] = k
        count = len(kept)
    return count


@fast
def _spread_line(grid_line, x0, x_weight, line):
    """Bring a line of the grid to the pixels' columns. A block has few lines of it, and many rows of pixels."""
    last = len(grid_line) - 1
    for i in range(len(x0)):
        value = grid_line[x0[i]]
        line[i] = value + (grid_line[min(x0[i] + 1, last)] - value) * x_weight[i]


@fast
def _score(lines, above, below, weight, kept, count, scores, best, winners):
    """Scores of a row of pixels, the best of them and its class; of equals the first class wins, as argmax has it."""
    for i in range(BLOCK_WIDTH):
        best[i] = scores[0, i] = lines[0, above, i] + (lines[0, below, i] - lines[0, above, i]) * weight
        winners[i] = kept[0]
    for c in range(1, count):
        k = np.int32(kept[c])
        for i in range(BLOCK_WIDTH):
            score = lines[c, above, i] + (lines[c, below, i] - lines[c, above, i]) * weight
            scores[c, i] = score
            winners[i] = k if score > best[i] else winners[i]
            best[i] = score if score > best[i] else best[i]


@fast
def _sum_softmax(scores, count, best, exponents, total):
    """The softmax denominator relative to the best score, exp by splitting 2**t into a whole and a broken power."""
    powers = exponents.view(np.float32)
    total[:] = 0
    for c in range(count):
        for i in range(BLOCK_WIDTH):
            t = max((scores[c, i] - best[i]) * LOG2_E, SMALLEST_POWER)
            whole = np.int32(t - np.float32(0.5))
            f = t - np.float32(whole)
            exponents[i] = (whole + EXPONENT_BIAS) << EXPONENT_SHIFT
            power = (((POWERS[0] * f + POWERS[1]) * f + POWERS[2]) * f + POWERS[3]) * f + POWERS[4]
            scores[c, i] = (power * f + POWERS[5]) * f + POWERS[6]
        for i in range(BLOCK_WIDTH):
            total[i] += scores[c, i] * powers[i]
