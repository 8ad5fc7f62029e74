"""Outlines of regions, compiled: followed along the edges between pixels.

The mask has a frame of background around it, so that each edge has a pixel on both sides and no run of a class goes
over the end of a row. Pixels are numbered row by row, frame included.

Each edge has its pixel on the right hand: directions are right, down, left, up. Pixels of one class that touch at a
corner are connected.

Axes: R runs of one class along the rows, O outlines, N corners, 4 as left, top, right, bottom, 2 as x, y.
"""

# Compiled from their values: types are found by the compiler, not written down.
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np

from atrous.runtime.compiling import compiled

RIGHT, DOWN, LEFT, UP = 0, 1, 2, 3
NOT_FOLLOWED = -1

# No interpreter lock.
fast: Any = compiled(nogil=True)


@fast
def find_outlines(mask, width, begin_R, outline_R, first_O, corners_O, region_O):
    """Follow every outline once, from top to bottom, and give how many there are, and of how many regions.

    Args:
        mask: uint8, flat, framed.
        width: of a framed row.
        begin_R: first pixel of each run, in order.
        outline_R: filled with the outline that a run begins at; NOT_FOLLOWED for background.
        first_O: filled with a pixel on whose left side the outline goes up; room for R of them.
        corners_O: filled with the number of corners; room for R of them.
        region_O: filled with the region that it belongs to; the first outline of each is the outer one.
    """
    outlines, regions = 0, 0
    outline_R[:] = NOT_FOLLOWED
    for r in range(len(begin_R)):
        pixel = begin_R[r]
        if mask[pixel] == 0 or outline_R[r] != NOT_FOLLOWED:
            continue
        corners, area = _follow(mask, width, pixel, begin_R, outline_R, outlines)
        first_O[outlines], corners_O[outlines] = pixel, corners
        if area > 0:
            region_O[outlines] = regions
            regions += 1
        else:
            # What lies above the highest pixel of a hole is of the region around it, and was followed before.
            around = _find_run(begin_R, pixel - width - 1)
            region_O[outlines] = region_O[outline_R[around]]
        outlines += 1
    return outlines, regions


@fast
def measure_regions(levels_HW, width, begin_R, outline_R, region_O, area, level_sum, box_4):
    """Sum up the runs of each region.

    Args:
        levels_HW: uint8 confidence, without a frame.
        width: of a framed row.
        begin_R: first pixel of each run, in order.
        outline_R: the outline that a run begins at.
        region_O: the region of each outline.
        area: int64, filled with the pixels of each region.
        level_sum: int64, filled with the sum of their confidence.
        box_4: int32, filled with the first pixels inside and the last ones.
    """
    area[:] = 0
    level_sum[:] = 0
    for r in range(len(begin_R) - 1):
        if outline_R[r] == NOT_FOLLOWED:
            continue
        region = region_O[outline_R[r]]
        length = begin_R[r + 1] - begin_R[r]
        y, x = begin_R[r] // width - 1, begin_R[r] % width - 1
        if area[region] == 0:
            box_4[region] = (x, y, x + length - 1, y)
        box = box_4[region]
        box[0], box[2], box[3] = min(box[0], x), max(box[2], x + length - 1), y
        area[region] += length
        total = np.int64(0)
        for level in levels_HW[y, x : x + length]:
            total += level
        level_sum[region] += total


@fast
def store_corners(mask, width, first_O, begin_O, corner_N2):
    """Follow outlines again and write their corners.

    Args:
        mask: uint8, flat, framed.
        width: of a framed row.
        first_O: a pixel on whose left side the outline goes up.
        begin_O: where its corners go.
        corner_N2: int32, filled; pixel (x, y) lies between the corners (x, y) and (x + 1, y + 1).
    """
    for o in range(len(first_O)):
        pixel, direction, n = first_O[o], UP, begin_O[o]
        while True:
            next_pixel, next_direction = _go_on(mask, width, pixel, direction)
            if next_direction != direction:
                y, x = pixel // width - 1, pixel % width - 1
                corner_N2[n, 0] = x + (direction in (RIGHT, DOWN))
                corner_N2[n, 1] = y + (direction in (DOWN, LEFT))
                n += 1
            pixel, direction = next_pixel, next_direction
            if pixel == first_O[o] and direction == UP:
                break


@fast
def _follow(mask, width, first, begin_R, outline_R, outline):
    """Mark the runs that begin at an outline; give its corners and the area inside, below 0 if it is a hole."""
    pixel, direction, corners, area = first, UP, 0, 0
    while True:
        if direction == UP:
            outline_R[_find_run(begin_R, pixel)] = outline
        elif direction == RIGHT:
            area -= pixel // width
        elif direction == LEFT:
            area += pixel // width + 1
        pixel, next_direction = _go_on(mask, width, pixel, direction)
        corners += next_direction != direction
        direction = next_direction
        if pixel == first and direction == UP:
            return corners, area


@fast
def _go_on(mask, width, pixel, direction):
    """Pixel and direction of the next edge: to the left if a pixel of the class is there, else straight, else right."""
    if direction == RIGHT:
        ahead, outside = 1, -width
    elif direction == DOWN:
        ahead, outside = width, 1
    elif direction == LEFT:
        ahead, outside = -1, width
    else:
        ahead, outside = -width, -1
    kind = mask[pixel]
    if mask[pixel + ahead + outside] == kind:
        return pixel + ahead + outside, (direction + 3) % 4
    if mask[pixel + ahead] == kind:
        return pixel + ahead, direction
    return pixel, (direction + 1) % 4


@fast
def _find_run(begin_R, pixel):
    """The run that a pixel is in."""
    low, high = 0, len(begin_R)
    while high - low > 1:
        middle = (low + high) // 2
        if begin_R[middle] <= pixel:
            low = middle
        else:
            high = middle
    return low
