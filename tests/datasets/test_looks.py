from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from atrous.datasets.looks import LOOK_BYTES, MAX_DIFFERENT_BITS, compute_look, find_twins


def draw_scene(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """Blurred noise: structure at every scale, as photographs have."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(0, 255, (side, side)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for side in (4, 9, 20)
    ]
    return np.clip(sum(layers) / 3, 0, 255).astype(np.uint8)


def flip_bits(look: bytes, positions: list[int]) -> bytes:
    bits = np.unpackbits(np.frombuffer(look, np.uint8))
    bits[positions] ^= 1
    return np.packbits(bits).tobytes()


def random_looks(count: int, seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, LOOK_BYTES, dtype=np.uint8).tobytes() for _ in range(count)]


@pytest.mark.parametrize("quality", [30, 90])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_scaled_and_compressed_pictures_look_the_same(scale: float, quality: int) -> None:
    for seed in range(10):
        scene_HW = draw_scene(seed)
        scaled_HW = cv2.resize(scene_HW, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", scaled_HW, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        again_HW = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
        assert find_twins([compute_look(scene_HW)], [compute_look(again_HW)]) == {0: 0}


def test_different_scenes_look_different() -> None:
    looks = [compute_look(draw_scene(seed)) for seed in range(60)]
    assert find_twins(looks[:30], looks[30:]) == {}


def test_twins_are_found_by_their_bits_wherever_they_differ() -> None:
    among = random_looks(500)
    rng = np.random.default_rng(1)
    looks = [flip_bits(among[place], rng.choice(256, 15, replace=False).tolist()) for place in range(100)]
    assert find_twins(looks, among) == {place: place for place in range(100)}


def test_too_many_different_bits_are_no_twin() -> None:
    (look,) = random_looks(1)
    other = flip_bits(look, list(range(MAX_DIFFERENT_BITS + 1)))
    assert find_twins([look], [other]) == {}


def test_equal_look_is_a_twin_and_the_first_one_is_named() -> None:
    (look, other) = random_looks(2)
    assert find_twins([other, look], [look, look]) == {1: 0}


def test_pictures_of_a_fixed_camera_cost_no_more_than_others() -> None:
    (look,) = random_looks(1)
    rng = np.random.default_rng(2)
    frames = [flip_bits(look, rng.choice(256, 4, replace=False).tolist()) for _ in range(20_000)]
    tracemalloc.start()
    twins = find_twins(frames[:4000], frames[4000:])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(twins) == 4000
    assert peak_bytes < 50_000_000, "all pairs of them would not fit a memory"


def test_pictures_without_structure_are_not_compared() -> None:
    blank = compute_look(np.zeros((64, 64), np.uint8))
    assert find_twins([blank], [blank]) == {}
