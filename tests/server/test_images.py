from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tests.fakes.pictures import BLACK, BLUE, GREEN, RED, as_base64, encode_squares, read_mask
from tests.server.place import Place, json_image

from atrous.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    Post = Callable[..., Any]

FOUR = encode_squares([[RED, GREEN], [BLUE, BLACK]])
FOUR_IDS = [[1, 2], [3, 0]]
CONTENT_TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain", "image/jpeg", "nonsense"]


def ids_of(reply: Any) -> list[list[int]]:
    assert reply.status_code == 200, reply.text
    return read_mask(reply.json())[4::8, 4::8].tolist()


def turned_picture() -> bytes:
    """Stored as red above blue, 16x32, and to be shown turned by a quarter."""
    pixels = np.zeros((32, 16, 3), np.uint8)
    pixels[:16, :, 0] = pixels[16:, :, 2] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_v0_reads_base64_under_any_content_type(post_v0: Post, content_type: str) -> None:
    assert ids_of(post_v0(as_base64(FOUR), content_type=content_type)) == FOUR_IDS


def test_v0_reads_base64_without_a_content_type(client: TestClient) -> None:
    request = client.build_request("POST", "/road/1", content=as_base64(FOUR))
    assert "content-type" not in request.headers
    assert ids_of(client.send(request)) == FOUR_IDS


@pytest.mark.parametrize("extension", [".png", ".bmp", ".webp", ".tiff"])
def test_v0_reads_the_bytes_of_a_picture(post_v0: Post, extension: str) -> None:
    data = encode_squares([[RED, GREEN], [BLUE, BLACK]], side_px=8, extension=extension)
    assert ids_of(post_v0(data, content_type="image/*")) == FOUR_IDS


def test_v0_reads_the_file_of_a_form(client: TestClient) -> None:
    assert ids_of(client.post("/road/1", files={"file": ("imageToUpload", FOUR, "image/jpeg")})) == FOUR_IDS


def test_v0_reads_a_large_file_of_a_form(client: TestClient) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert client.post("/road/1", files={"file": ("a.png", file.getvalue())}).json()["image"]["width"] == 800


def test_v0_answers_a_get_with_a_body(client: TestClient) -> None:
    assert ids_of(client.request("GET", "/road/1", content=as_base64(FOUR))) == FOUR_IDS


@pytest.mark.parametrize(
    "write",
    [
        lambda text: "data:image/png;base64," + text,
        lambda text: "data:image/x-png;base64," + text,
        lambda text: "\n".join(text[i : i + 76] for i in range(0, len(text), 76)) + "\r\n",
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
    ],
    ids=["data-uri", "odd-data-uri", "wrapped", "unpadded", "url-safe"],
)
def test_base64_may_be_written_in_several_ways(post_v0: Post, post_v1: Post, write: Callable[[str], str]) -> None:
    text = write(as_base64(FOUR))
    assert ids_of(post_v0(text)) == FOUR_IDS
    assert ids_of(post_v1({"type": "BASE64", "value": text})) == FOUR_IDS


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("", "Empty image payload."),
        (" \n", "Empty image payload."),
        ("data:image/png;base64,", "Empty image payload."),
        ("nonexistent.jpg", "Malformed base64 input image."),
        ('{"image": "x"}', "Malformed base64 input image."),
        ("a", "Malformed base64 input image."),
        ("AAAA=AAA", "Malformed base64 input image."),
        (as_base64(b"no picture at all"), "the data is not a picture"),
        (as_base64(FOUR[:40]), "the data is not a picture"),
        (b"\x89PNG\r\n\x1a\n", "the data is not a picture"),
        (b"\xff\xd8\xff\x00garbage", "the data is not a picture"),
    ],
)
def test_v0_refuses_what_is_no_picture(post_v0: Post, body: str | bytes, cause: str) -> None:
    reply = post_v0(body)
    assert reply.status_code == 400
    assert reply.json()["message"].startswith(f"Could not load input image. Cause: {cause}")


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ({"type": "base64", "value": ""}, "Empty image payload."),
        ({"type": "base64", "value": None}, "Empty image payload."),
        ({"type": "base64"}, "Empty image payload."),
        ({"type": "base64", "value": 7}, "Malformed base64 input image."),
        ({"type": "base64", "value": ["a"]}, "Malformed base64 input image."),
        ({"type": "base64", "value": "????"}, "Malformed base64 input image."),
        ({"type": "base64", "value": FOUR.decode("latin-1")}, "Invalid base64 input: the image payload contains raw"),
        ({"type": "base64", "value": "AAAA"}, "the data is not a picture"),
        ({"type": "url", "value": "https://example.com/a.jpg"}, "URL input is off"),
        ({"type": "numpy", "value": "gASV"}, "NumPy image type is not supported"),
        ({"type": "numpy_object", "value": [[0]]}, "NumPy image type is not supported"),
        ({"type": "file", "value": "/etc/passwd"}, "Reading files of the server is off"),
        ({"type": "pil", "value": "x"}, "PIL image type is not supported"),
        ({"type": "multipart", "value": "x"}, "Multipart image type is not supported"),
        ({"type": "hologram", "value": "x"}, "Image declaration contains not recognised image type"),
    ],
)
def test_v1_refuses_what_is_no_picture(post_v1: Post, image: dict[str, Any], cause: str) -> None:
    reply = post_v1(image)
    assert reply.status_code == 400
    assert reply.json()["message"].startswith(f"Could not load input image. Cause: {cause}")


def test_v0_refuses_urls_even_beside_a_body(client: TestClient, post_v0: Post) -> None:
    url = "https://example.com/a.jpg"
    for reply in (client.post("/road/1", params={"image": url}), post_v0(as_base64(FOUR), image=url)):
        assert reply.status_code == 400
        assert "URL input is off" in reply.json()["message"]


@pytest.mark.parametrize("image_type", ["numpy", "file", "url", "hologram"])
def test_v0_refuses_other_image_types(post_v0: Post, image_type: str) -> None:
    reply = post_v0(b"/etc/passwd", image_type=image_type)
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("Could not load input image. Cause: ")


@pytest.mark.parametrize("options", [{"files": {"other": ("a.png", FOUR)}}, {"files": {"file": (None, "text")}}])
def test_a_form_without_the_file_is_refused(client: TestClient, options: dict[str, Any]) -> None:
    reply = client.post("/road/1", **options)
    assert reply.status_code == 400
    assert "part named 'file' of multipart/form-data" in reply.json()["message"]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_damaged_form_is_refused(post_v0: Post, content_type: str) -> None:
    reply = post_v0(b"no form", content_type=content_type)
    assert reply.status_code == 400
    assert isinstance(reply.json()["message"], str)


def test_exif_orientation_is_honoured_unless_switched_off(post_v0: Post, post_v1: Post) -> None:
    picture = turned_picture()
    turned = [post_v0(picture), post_v1(json_image(picture)), post_v0(picture, disable_preproc_auto_orient="False")]
    stored = [
        post_v0(picture, disable_preproc_auto_orient="True"),
        post_v1(json_image(picture), disable_preproc_auto_orient=True),
    ]
    for reply in turned:
        assert reply.json()["image"] == {"width": 32, "height": 16}
        assert ids_of(reply)[0] == [3, 3, 1, 1]
    for reply in stored:
        assert reply.json()["image"] == {"width": 16, "height": 32}
        assert [row[0] for row in ids_of(reply)] == [1, 1, 3, 3]


def test_a_picture_over_the_pixel_limit_is_refused(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_pixels=100), key=place.key)
    small, large = encode_squares([[RED]], side_px=10), encode_squares([[RED]], side_px=11)
    assert client.post("/road/1", content=as_base64(small)).status_code == 200
    body = {"model_id": "road/1", "image": [json_image(small), json_image(large)]}
    for reply, start in (
        (client.post("/road/1", content=large), "the picture has 121 pixels"),
        (client.post("/infer/semantic_segmentation", json=body), "image 1: the picture has 121 pixels"),
    ):
        assert reply.status_code == 413
        assert reply.json()["message"].startswith(start)


def test_a_picture_that_claims_to_be_vast_is_refused_by_its_header(post_v0: Post) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\0IDAT"
    assert post_v0(start).status_code == 413


def test_a_body_over_the_limit_is_refused_by_length_and_while_streaming(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_body_bytes=1000), key=place.key)
    seen = []

    def stream():
        for number in range(100):
            seen.append(number)
            yield b"A" * 100

    replies = [
        client.post("/road/1", content=b"A" * 1001),
        client.post("/road/1", content=stream()),
        client.post("/infer/semantic_segmentation", content=b"A" * 1001),
        client.post("/model/add", content=stream()),
        client.post("/road/1", files={"file": ("a.png", b"A" * 1001)}),
    ]
    for reply in replies:
        assert reply.status_code == 413
        assert "over 1000 bytes" in reply.json()["message"]
    assert client.post("/road/1", content=b"A" * 1000).status_code == 400


def test_a_form_that_hides_its_length_is_refused_while_streaming(place: Place) -> None:
    place.publish()
    client = place.client(Settings(max_body_bytes=1000), key=place.key)
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    parts = [start, *[b"A" * 100] * 50, b"\r\n--x--\r\n"]
    reply = client.post("/road/1", content=iter(parts), headers={"content-type": "multipart/form-data; boundary=x"})
    assert reply.status_code == 413
