from __future__ import annotations

import io
import json
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.cli.terminal import publish
from tests.fakes.bundles import CLASS_NAMES, rename_classes
from tests.fakes.http_servers import serve_by
from tests.fakes.pictures import BLACK, BLUE, GREEN, RED, WHITE, as_base64, encode_squares

from atrous.adapters.home import open_home
from atrous.runtime.png import encode_grey_png
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray
    from tests.cli.terminal import Said, Server

GATE_TIMEOUT_S = 10
SQUARES = [[RED, GREEN, BLUE], [BLACK, BLUE, RED]]
SQUARES_MASK = np.array([[1, 2, 3], [0, 3, 1]], np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures of plain squares."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def read_mask(path: Path) -> NDArray[np.uint8]:
    mask_HW = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask_HW is not None, path
    return mask_HW


def list_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def encode_turned() -> bytes:
    """Red over green as people see it; stored lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:, :32], stored[:, 32:] = RED, GREEN
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "PNG", exif=exif)
    return file.getvalue()


@contextmanager
def serve_replies(
    replies: list[tuple[int, dict[str, Any]]], headers: dict[str, str] | None = None, *, together: int = 1
) -> Generator[str]:
    """The address of a server that gives these replies, one after the other.

    Args:
        replies: status and content of each.
        headers: of all.
        together: requests that wait for each other, so that none is answered before all have come.
    """
    gate = threading.Barrier(together)

    class Replies(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            gate.wait(GATE_TIMEOUT_S)
            status, content = replies.pop(0)
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in ((headers or {}) | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serve_by(Replies) as address:
        yield address


# In process


def test_a_picture_gets_a_mask_of_its_own_size_and_an_overlay(
    atrous: Callable[..., Said], home: Path, pictures: Path
) -> None:
    publish(home)
    (pictures / "squares.png").write_bytes(encode_squares(SQUARES, side_px=48))
    said = atrous("infer", "road/1", pictures / "squares.png", "--out", "masks")
    assert (said.code, said.out) == (0, "")
    assert "1 of 1 pictures written to masks" in said.err
    assert list_files(Path("masks")) == {"squares_mask.png", "squares_overlay.jpg"}
    mask_HW = read_mask(Path("masks/squares_mask.png"))
    assert mask_HW.shape == (96, 144)
    np.testing.assert_array_equal(mask_HW[24::48, 24::48], SQUARES_MASK)
    overlay = cv2.imread("masks/squares_overlay.jpg")
    assert overlay is not None
    assert overlay.shape == (96, 144, 3)


def test_predictions_is_where_masks_go_unless_told(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    model = publish(home)
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    assert atrous("infer", f"main/{model.slug}", pictures / "a.png").code == 0
    np.testing.assert_array_equal(read_mask(Path("predictions/a_mask.png")), np.full((8, 8), 1))


def test_below_the_threshold_is_background(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    publish(home)
    # A red of 0.6 scores 6 against 5 for background: 0.73.
    (pictures / "a.png").write_bytes(encode_squares([[(153, 0, 0)]]))
    for threshold, class_id in ((0.7, 1), (0.75, 0)):
        assert atrous("infer", "road/1", pictures, "--threshold", threshold).code == 0
        np.testing.assert_array_equal(read_mask(Path("predictions/a_mask.png")), np.full((8, 8), class_id))


def test_a_folder_is_taken_with_the_folders_in_it(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    publish(home)
    (pictures / "deep" / "er").mkdir(parents=True)
    for name, colour in (("a.png", RED), ("deep/a.png", GREEN), ("deep/er/B.PNG", BLUE)):
        (pictures / name).write_bytes(encode_squares([[colour]]))
    (pictures / "notes.txt").write_text("no picture")
    (pictures / "._a.png").write_bytes(b"left by another system")
    said = atrous("infer", "road/1", pictures, "--out", "masks")
    assert said.code == 0, said.err
    masks = {name for name in list_files(Path("masks")) if name.endswith("_mask.png")}
    assert masks == {"a_mask.png", "deep/a_mask.png", "deep/er/B_mask.png"}
    assert read_mask(Path("masks/deep/er/B_mask.png"))[0, 0] == 3


def test_a_glob_is_taken_for_the_files_that_it_matches(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    publish(home)
    for name in ("a1.png", "a2.png", "b1.png"):
        (pictures / name).write_bytes(encode_squares([[RED]]))
    assert atrous("infer", "road/1", f"{pictures}/a*.png", "--out", "masks").code == 0
    assert {name for name in list_files(Path("masks")) if "mask" in name} == {"a1_mask.png", "a2_mask.png"}


def test_a_picture_named_twice_is_answered_once(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    publish(home)
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    said = atrous("infer", "road/1", pictures / "a.png", pictures, f"{pictures}/*.png", f"{pictures}/../pictures/a.png")
    assert "1 of 1 pictures" in said.err


@pytest.mark.parametrize("names", [["a.png", "a.bmp"], ["a.png", "a.bmp", "a_png.webp"]], ids=len)
def test_pictures_of_one_name_do_not_overwrite_each_other(
    atrous: Callable[..., Said], home: Path, pictures: Path, names: list[str]
) -> None:
    publish(home)
    for name, colour in zip(names, (RED, GREEN, BLUE), strict=False):
        (pictures / name).write_bytes(encode_squares([[colour]], extension=Path(name).suffix))
    assert atrous("infer", "road/1", pictures, "--out", "masks").code == 0
    masks = [read_mask(path)[4, 4] for path in Path("masks").glob("*_mask.png")]
    assert sorted(masks) == list(range(1, len(names) + 1))


def test_nothing_is_written_outside_the_output_folder(atrous: Callable[..., Said], home: Path, tmp_path: Path) -> None:
    publish(home)
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.png").write_bytes(encode_squares([[RED]]))
    before = list_files(tmp_path)
    assert atrous("infer", "road/1", "here/../there/there.png", "here/here.png", "--out", "a/b/masks").code == 0
    new = list_files(tmp_path) - before
    assert {name for name in new if not name.startswith(("a/b/masks/", "home/"))} == set()
    assert len([name for name in new if name.endswith("_mask.png")]) == 2


@pytest.mark.parametrize("bad", [b"", b"no picture", encode_squares([[RED]])[:40]], ids=["empty", "text", "cut"])
def test_a_bad_picture_is_named_and_the_good_ones_go_on(
    atrous: Callable[..., Said], home: Path, pictures: Path, bad: bytes
) -> None:
    publish(home)
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    (pictures / "bad.png").write_bytes(bad)
    (pictures / "c.png").write_bytes(encode_squares([[BLUE]]))
    said = atrous("infer", "road/1", pictures, "--out", "masks")
    assert said.code == 2
    assert said.error.startswith(f"{pictures / 'bad.png'}: ")
    assert "2 of 3 pictures" in said.err
    assert {name for name in list_files(Path("masks")) if "mask" in name} == {"a_mask.png", "c_mask.png"}


@pytest.mark.parametrize("auto_orient", [True, False])
def test_the_mask_is_turned_as_the_model_turns_pictures(
    atrous: Callable[..., Said], home: Path, pictures: Path, auto_orient: bool
) -> None:
    model = publish(home)
    folder = open_home(home).bundles.locate("main", model.slug)
    config = json.loads((folder / "inference_config.json").read_text(encoding="utf-8"))
    config["image_pre_processing"]["auto-orient"]["enabled"] = auto_orient
    (folder / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    rename_classes(folder, CLASS_NAMES)  # gives it a manifest that fits
    (pictures / "turned.png").write_bytes(encode_turned())
    said = atrous("infer", "road/1", pictures, "--out", "masks")
    assert said.code == 0, said.err
    mask_HW = read_mask(Path("masks/turned_mask.png"))
    expected = np.repeat([1, 2], 32)
    expected_HW = np.tile(expected[:, None], (1, 32)) if auto_orient else np.tile(expected, (32, 1))
    np.testing.assert_array_equal(mask_HW, expected_HW)
    overlay = cv2.imread("masks/turned_overlay.jpg")
    assert overlay is not None
    assert overlay.shape[:2] == expected_HW.shape


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["sea/1", "a.png"], 3, "model 'sea/1': not found in this workspace"),
        (["other/road-1-t1", "a.png"], 3, "not found"),
        (["road", "a.png"], 2, "such as road/1"),
        (["road/1", "nothing.png"], 2, "nothing.png: no picture there"),
        (["road/1", "empty"], 2, "empty: no picture there"),
        (["road/1", "*.tiff"], 2, "*.tiff: no picture there"),
        (["road/1", "a.png", "--out", "a.png"], 2, "a.png: cannot be used"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_a_sentence(
    atrous: Callable[..., Said], home: Path, arguments: list[str], code: int, sentence: str
) -> None:
    publish(home)
    Path("a.png").write_bytes(encode_squares([[RED]]))
    Path("empty").mkdir()
    said = atrous("infer", *arguments)
    assert said.code == code
    assert sentence in said.error


def test_a_model_whose_file_was_altered_is_refused_by_the_files_name(
    atrous: Callable[..., Said], home: Path, pictures: Path
) -> None:
    model = publish(home)
    weights = open_home(home).bundles.locate("main", model.slug) / "weights.onnx"
    weights.write_bytes(weights.read_bytes()[:-1])
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    said = atrous("infer", "road/1", pictures)
    assert said.code == 2
    assert f"{model.slug}/weights.onnx" in said.error
    assert not Path("predictions").exists()


def test_a_model_whose_folder_is_gone_is_refused(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    import shutil

    model = publish(home)
    shutil.rmtree(open_home(home).bundles.locate("main", model.slug))
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    said = atrous("infer", "road/1", pictures)
    assert said.code == 3
    assert model.slug in said.error


# Many


def test_what_an_earlier_run_finished_is_left_out_if_asked(
    atrous: Callable[..., Said], home: Path, pictures: Path
) -> None:
    publish(home)
    for name in ("a.png", "b.png", "c.png"):
        (pictures / name).write_bytes(encode_squares([[RED]]))
    assert atrous("infer", "road/1", pictures, "--out", "masks").code == 0
    Path("masks/b_overlay.jpg").unlink()
    for name in ("a.png", "b.png"):
        (pictures / name).write_bytes(encode_squares([[BLUE]]))
    said = atrous("infer", "road/1", pictures, "--out", "masks", "--skip-existing")
    assert said.code == 0
    assert "1 of 3 pictures written to masks, 2 were there already" in said.err
    assert [read_mask(Path(f"masks/{name}_mask.png"))[0, 0] for name in "abc"] == [1, 3, 1]


def test_a_run_without_that_option_writes_all_anew(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    publish(home)
    for colour in (RED, BLUE):
        (pictures / "a.png").write_bytes(encode_squares([[colour]]))
        assert atrous("infer", "road/1", pictures, "--out", "masks").code == 0
    assert read_mask(Path("masks/a_mask.png"))[0, 0] == 3


@pytest.mark.parametrize(("kind", "name"), [("masks", "a_mask.png"), ("overlays", "a_overlay.jpg")])
def test_only_one_kind_of_file_is_written_if_asked(
    atrous: Callable[..., Said], home: Path, pictures: Path, kind: str, name: str
) -> None:
    publish(home)
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    for _ in range(2):
        said = atrous("infer", "road/1", pictures, "--out", "masks", "--only", kind, "--skip-existing")
        assert said.code == 0
    assert list_files(Path("masks")) == {name}
    assert "1 were there already" in said.err


def test_the_summary_counts_failures_and_speed(atrous: Callable[..., Said], home: Path, pictures: Path) -> None:
    publish(home)
    for number in range(20):
        (pictures / f"{number}.png").write_bytes(encode_squares([[RED]]) if number % 5 else b"damaged")
    said = atrous("infer", "road/1", pictures, "--out", "masks")
    assert said.code == 2
    assert re.search(r"16 of 20 pictures written to masks, 4 failed, \d+\.\d pictures per second", said.err)
    assert len(list_files(Path("masks"))) == 32


def test_a_disk_that_refuses_leaves_no_half_written_file(
    atrous: Callable[..., Said], home: Path, pictures: Path
) -> None:
    publish(home)
    for name in ("a.png", "b.png"):
        (pictures / name).write_bytes(encode_squares([[RED]]))
    Path("masks/b_mask.png").mkdir(parents=True)
    said = atrous("infer", "road/1", pictures, "--out", "masks")
    assert said.code == 2
    assert "masks/b_mask.png" in said.error
    assert "1 of 2 pictures" in said.err
    assert list_files(Path("masks")) == {"a_mask.png", "a_overlay.jpg"}


# From a server


@pytest.fixture
def key(served_home: Path) -> str:
    return create_key(open_home(served_home), "main", "tests")[1]


def test_a_server_and_this_process_give_the_same_files(
    *,
    atrous: Callable[..., Said],
    server: Server,
    served_home: Path,
    key: str,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    (pictures / "noise.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    (pictures / "noise.jpg").write_bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    (pictures / "squares.png").write_bytes(encode_squares([*SQUARES, [WHITE] * 3], side_px=50))
    (pictures / "turned.png").write_bytes(encode_turned())
    monkeypatch.setenv("ATROUS_API_KEY", key)
    asked = atrous("infer", "road/1", pictures, "--out", "asked", "--api-url", server.url)
    assert asked.code == 0, asked.err
    monkeypatch.setenv("ATROUS_HOME", str(served_home))
    assert atrous("infer", "road/1", pictures, "--out", "here").code == 0
    assert list_files(Path("asked")) == list_files(Path("here"))
    assert len(list_files(Path("here"))) == 8
    for name in list_files(Path("here")):
        assert Path("asked", name).read_bytes() == Path("here", name).read_bytes()


def test_a_bad_picture_is_refused_by_the_server_and_the_good_ones_go_on(
    atrous: Callable[..., Said], server: Server, key: str, pictures: Path
) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    (pictures / "bad.png").write_bytes(b"\x89PNG no picture")
    said = atrous("infer", "road/1", pictures, "--api-url", server.url, "--api-key", key)
    assert said.code == 2
    assert "bad.png: the server answered 400" in said.error
    assert Path("predictions/a_mask.png").is_file()


def answer_green() -> tuple[int, dict[str, Any]]:
    mask = as_base64(encode_grey_png(np.full((8, 8), 2, np.uint8)))
    class_map = {"0": "background", "1": "red", "2": "green"}
    return 200, {"predictions": {"segmentation_mask": mask, "class_map": class_map}}


def test_a_busy_server_is_asked_again(atrous: Callable[..., Said], pictures: Path) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    with serve_replies([(503, {}), (429, {}), answer_green()], {"Retry-After": "0"}) as url:
        said = atrous("infer", "road/1", pictures, "--api-url", url)
    assert said.code == 0, said.err
    assert read_mask(Path("predictions/a_mask.png"))[0, 0] == 2


def test_a_server_that_is_busy_for_ever_is_given_up(atrous: Callable[..., Said], pictures: Path) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    with serve_replies([(503, {"message": "too busy"})] * 100, {"Retry-After": "0"}) as url:
        said = atrous("infer", "road/1", pictures, "--api-url", url)
    assert said.code == 6
    assert said.error == "the server answered 503: too busy"


def test_a_server_gets_several_pictures_at_a_time(atrous: Callable[..., Said], pictures: Path) -> None:
    for number in range(12):
        (pictures / f"{number}.png").write_bytes(encode_squares([[RED]]))
    with serve_replies([answer_green() for _ in range(12)], together=4) as url:
        said = atrous("infer", "road/1", pictures, "--api-url", url)
    assert said.code == 0, said.err
    assert "12 of 12 pictures" in said.err


@pytest.mark.parametrize(
    ("model", "key_given", "code"), [("road/1", None, 4), ("road/1", "0" * 40, 4), ("sea/1", "right", 3)]
)
def test_what_the_server_refuses_ends_with_its_sentence(
    *,
    atrous: Callable[..., Said],
    server: Server,
    key: str,
    pictures: Path,
    model: str,
    key_given: str | None,
    code: int,
) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    secret = key if key_given == "right" else key_given
    options = ("--api-key", secret) if secret else ()
    said = atrous("infer", model, pictures, "--api-url", server.url, *options)
    assert said.code == code
    assert "the server answered 40" in said.error
    assert not secret or secret not in said.err


def test_a_server_that_is_not_there_is_named(atrous: Callable[..., Said], pictures: Path) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        said = atrous("infer", "road/1", pictures, "--api-url", url)
    assert said.code == 6
    assert f"{url}/road/1: no answer" in said.error


@pytest.mark.parametrize(
    ("url", "code"), [("localhost:9001", 6), ("http://[::1", 2), ("http://host:port", 2), ("ftp://host", 6)]
)
def test_an_address_that_is_none_is_a_sentence(
    atrous: Callable[..., Said], pictures: Path, url: str, code: int
) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    said = atrous("infer", "road/1", pictures, "--api-url", url)
    assert said.code == code
    assert said.error


def test_a_key_that_no_header_can_hold_is_refused(atrous: Callable[..., Said], pictures: Path) -> None:
    (pictures / "a.png").write_bytes(encode_squares([[RED]]))
    said = atrous("infer", "road/1", pictures, "--api-url", "http://127.0.0.1:9", "--api-key", "ключ")
    assert said.code == 2
    assert "ключ" not in said.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--precision", "fp16"), "precision 'fp16': unknown"),
        (("--backend", "torch"), "backend 'torch': unknown"),
        (("--precision", "int8"), "has no int8 weights"),
        (("--backend", "onnx", "--api-url", "http://127.0.0.1:9"), "leave out --api-url"),
    ],
)
def test_a_way_to_run_the_network_that_cannot_be_is_told(
    atrous: Callable[..., Said], home: Path, pictures: Path, options: tuple[str, ...], told: str
) -> None:
    publish(home)
    (pictures / "red.png").write_bytes(encode_squares([[RED]]))
    said = atrous("infer", "road/1", pictures, *options)
    assert said.code == 2
    assert told in said.err
