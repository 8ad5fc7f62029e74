"""Pictures over HTTP, one by one, and the masks that pass for pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.fakes.pictures import BLUE, RED, as_base64, encode_squares
from tests.server.uploading import add_project, class_names, encode, mask_of, pictures_of, send, upload

from atrous.datasets.splits import Split
from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.server.url_pictures import Network
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.place import Place

PICTURE = encode_squares([[RED, BLUE]])
HEIGHT, WIDTH = 8, 16


@pytest.fixture
def client(place: Place) -> TestClient:
    add_project(place, "road")
    return place.client(key=place.key)


def draw_mask(*values: int) -> bytes:
    mask_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask_HW[0, : len(values)] = values
    return encode(mask_HW)


def test_a_picture_is_kept_with_all_that_came_with_it(place: Place, client: TestClient) -> None:
    reply = send(
        client,
        "a b.png",
        PICTURE,
        split="valid",
        batch="b one",
        tag=["night", "rain"],
        metadata='{"camera": 1}',
        sequence_number=2,
        sequence_size=9,
    )
    assert reply.status_code == 200
    picture = pictures_of(place)["a b.png"]
    assert reply.json() == {"success": True, "id": picture.id}
    assert place.ports.blobs.get(picture.image_sha256) == PICTURE
    assert (picture.mask_sha256, picture.split, picture.batch) == (None, Split.VALID, "b one")
    assert picture.tags == ("night", "rain")
    assert picture.metadata == {"camera": 1, "sequence_number": 2, "sequence_size": 9}
    assert (picture.size.height, picture.size.width) == (HEIGHT, WIDTH)
    assert picture.created is not None
    assert place.ports.store.find_project("acme", "road").updated is not None


def test_the_same_bytes_again_keep_their_split_and_get_new_tags(place: Place, client: TestClient) -> None:
    first = upload(client, "a.png", PICTURE, split="valid", tag=["night"])
    again = send(client, "b.png", PICTURE, split="train", tag=["rain"], batch="other")
    assert again.json() == {"duplicate": True, "id": first}
    (picture,) = pictures_of(place).values()
    assert (picture.name, picture.split, picture.batch) == ("a.png", Split.VALID, "Pip Package Upload")
    assert picture.tags == ("night", "rain")


def test_ten_threads_lose_nothing_and_double_nothing(place: Place, client: TestClient) -> None:
    files = [encode_squares([[(n, 0, 0), BLUE]]) for n in range(0, 250, 12)]
    with ThreadPoolExecutor(10) as threads:
        ids = list(threads.map(lambda n: upload(client, f"{n}.png", files[n % len(files)]), range(2 * len(files))))
    assert ids[: len(files)] == ids[len(files) :]
    assert {picture.id for picture in pictures_of(place).values()} == set(ids)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("/etc/x/y.png", "y.png"),
        ("C:\\x\\y.png", "y.png"),
        ("y\x00\n.png", "y.png"),
        ("..", "picture"),
        ("ü.png", "ü.png"),
    ],
)
def test_a_name_is_only_a_name(place: Place, client: TestClient, name: str, kept: str) -> None:
    reply = client.post("/dataset/road/upload", params={"name": name}, content=as_base64(PICTURE))
    assert reply.status_code == 200
    assert list(pictures_of(place)) == [kept]


def test_names_may_repeat(place: Place, client: TestClient) -> None:
    first = upload(client, "a.png", PICTURE)
    second = upload(client, "a.png", encode_squares([[BLUE]]))
    assert first != second
    assert len(place.ports.store.list_pictures("acme", "road")) == 2


@pytest.mark.parametrize("word", ["train", "valid", "val", "test", "VALID"])
def test_every_word_for_a_split_is_taken(place: Place, client: TestClient, word: str) -> None:
    upload(client, "a.png", PICTURE, split=word)
    assert pictures_of(place)["a.png"].split.value.startswith(word.lower())


@pytest.mark.parametrize(
    ("status", "part", "options"),
    [
        (400, "split 'dev'", {"split": "dev"}),
        (400, "metadata", {"metadata": "{"}),
        (400, "metadata", {"metadata": "[1]"}),
        (400, "metadata field 'a'", {"metadata": '{"a": {"b": 1}}'}),
        (400, "metadata field", {"metadata": '{"a": "\\u0000"}'}),
        (400, "tag", {"tag": "t" * 101}),
        (400, "batch", {"batch": "b" * 201}),
        (400, "name", {"name": "n" * 256}),
        (422, "batch", {"batch": "b" * 1001}),
    ],
)
def test_what_cannot_be_kept_is_refused_in_a_sentence(
    place: Place, client: TestClient, status: int, part: str, options: dict[str, str]
) -> None:
    reply = send(client, options.pop("name", "a.png"), PICTURE, **options)
    assert reply.status_code == status
    assert part in reply.json()["error"]["message"]
    assert not pictures_of(place)


def test_a_damaged_picture_and_none_at_all_are_refused(place: Place, client: TestClient) -> None:
    jpeg = encode(np.full((64, 64, 3), 90, np.uint8), ".jpg")
    for reply in (
        send(client, "a.jpg", jpeg[:-200]),
        send(client, "a.png", b"hello"),
        client.post("/dataset/road/upload", data={"name": "a"}, files={"other": b"x"}),
        client.post("/dataset/road/upload"),
        client.post("/dataset/road/upload", content="%%%"),
        client.post("/dataset/road/upload", content=b"--x", headers={"content-type": "multipart/form-data"}),
    ):
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]["message"]
    assert not pictures_of(place)


def test_a_url_is_refused_where_the_server_fetches_none(client: TestClient) -> None:
    reply = client.post("/dataset/road/upload", params={"name": "a.png", "image": "https://a.example/a.png"})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("Could not fetch image URL")


def test_a_picture_by_url_is_fetched_where_the_server_may(place: Place) -> None:
    add_project(place, "road")

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, stream=httpx.ByteStream(PICTURE))
            if request.url.path == "/b/a.png"
            else httpx.Response(404)
        )

    async def resolve(host: str, port: int) -> list[str]:
        assert (host, port) == ("a.example", 443)
        return ["93.184.216.34"]

    network = Network(resolve, lambda: httpx.MockTransport(answer))
    app = create_app(Settings(url_pictures="https"), place.ports, network=network)
    client = TestClient(app, headers={"authorization": f"Bearer {place.key}"})
    good = client.post("/dataset/road/upload", params={"image": "https://a.example/b/a.png?x=1", "split": "test"})
    assert good.json() == {"success": True, "id": pictures_of(place)["a.png"].id}
    gone = client.post("/dataset/road/upload", params={"image": "https://a.example/gone.png", "name": "x.png"})
    assert gone.status_code == 400
    assert gone.json()["error"]["message"].startswith("Could not fetch image URL")


def test_a_form_over_the_limit_is_refused(place: Place) -> None:
    add_project(place, "road")
    client = place.client(Settings(max_body_bytes=1000), key=place.key)
    reply = send(client, "a.png", PICTURE + bytes(1000))
    assert reply.status_code == 413
    assert "max_body_bytes" in reply.json()["error"]["message"]


def test_the_workspace_may_be_in_the_path(place: Place, client: TestClient) -> None:
    reply = client.post("/acme/road/upload", params={"name": "a.png"}, content=as_base64(PICTURE))
    assert reply.json() == {"success": True, "id": pictures_of(place)["a.png"].id}


def test_who_may_not_change_the_project_changes_nothing(place: Place, client: TestClient) -> None:
    _, other = create_key(place.ports, "other", "tests")
    _, reader = create_key(place.ports, "acme", "tests", scope=Scope.READ)
    content = as_base64(PICTURE)
    for key, path, status in [
        (place.key, "/dataset/sea/upload", 404),
        (other, "/dataset/road/upload", 404),
        (other, "/acme/road/upload", 404),
        (reader, "/dataset/road/upload", 403),
        ("wrong", "/dataset/road/upload", 401),
    ]:
        reply = place.client(key=key).post(path, params={"name": "a.png"}, content=content)
        assert reply.status_code == status, path
        assert reply.json()["error"]["status"] == status
    assert not pictures_of(place)


# Masks


@pytest.mark.parametrize("is_mask_first", [True, False])
def test_a_mask_becomes_the_label_of_its_picture(place: Place, is_mask_first: bool) -> None:
    add_project(place, "road", "road", "sign")
    client = place.client(key=place.key)
    files = [("a.png", PICTURE), ("a_mask.png", draw_mask(1, 2, 255))]
    ids = [upload(client, *file) for file in (reversed(files) if is_mask_first else files)]
    (picture,) = pictures_of(place).values()
    assert picture.id in ids
    assert is_mask_first == any(one.startswith("mask-") for one in ids)
    assert mask_of(place, picture)[0, :4].tolist() == [1, 2, 255, 0]
    assert picture.class_pixels == {0: HEIGHT * WIDTH - 3, 1: 1, 2: 1, 255: 1}
    assert class_names(place) == ("background", "road", "sign")
    assert not place.ports.store.list_held_masks("acme", "road")


def test_pictures_and_masks_from_ten_threads_find_each_other(place: Place, client: TestClient) -> None:
    files = [(f"{n}.png", encode_squares([[(n, 0, 0), BLUE]])) for n in range(12)]
    files += [(f"{n}_mask.png", draw_mask(1, n + 2)) for n in range(12)]
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda file: upload(client, *file), files[::2] + files[1::2]))
    pictures = pictures_of(place)
    assert len(pictures) == 12
    assert all(mask_of(place, pictures[f"{n}.png"])[0, :2].tolist() == [1, n + 2] for n in range(12))
    assert not place.ports.store.list_held_masks("acme", "road")


def test_values_without_a_class_get_one_of_their_number(place: Place) -> None:
    add_project(place, "road", "road")
    client = place.client(key=place.key)
    upload(client, "a.png", PICTURE)
    upload(client, "a_mask.png", draw_mask(3))
    assert class_names(place) == ("background", "road", "class-2", "class-3")


def test_a_palette_gives_its_indices(place: Place, client: TestClient, tmp_path: Path) -> None:
    mask = Image.fromarray(np.eye(HEIGHT, WIDTH, dtype=np.uint8) * 2)
    mask.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10])
    mask.save(tmp_path / "m.png")
    upload(client, "a.png", PICTURE)
    upload(client, "a_mask.png", (tmp_path / "m.png").read_bytes())
    assert mask_of(place, pictures_of(place)["a.png"])[1, 1] == 2


def test_a_photo_that_is_called_a_mask_is_a_photo(place: Place, client: TestClient) -> None:
    upload(client, "gas.png", PICTURE)
    upload(client, "gas_mask.png", encode_squares([[BLUE, RED]]))
    upload(client, "gas_mask.jpg", encode(np.full((8, 8), 9, np.uint8), ".jpg"))
    assert sorted(pictures_of(place)) == ["gas.png", "gas_mask.jpg", "gas_mask.png"]
    assert not any(picture.mask_sha256 for picture in pictures_of(place).values())


@pytest.mark.parametrize("is_mask_first", [True, False])
def test_a_grey_picture_of_another_size_is_no_mask_and_is_not_lost(
    place: Place, client: TestClient, is_mask_first: bool
) -> None:
    files = [("a.png", PICTURE), ("a_mask.png", encode(np.full((5, 5), 1, np.uint8)))]
    for file in reversed(files) if is_mask_first else files:
        upload(client, *file)
    assert sorted(pictures_of(place)) == ["a.png", "a_mask.png"]
    assert not place.ports.store.list_held_masks("acme", "road")


def test_the_mask_of_another_batch_waits(place: Place, client: TestClient) -> None:
    upload(client, "a.png", PICTURE, batch="one")
    upload(client, "a_mask.png", draw_mask(1), batch="two")
    assert pictures_of(place)["a.png"].mask_sha256 is None
    assert [mask.stem for mask in place.ports.store.list_held_masks("acme", "road")] == ["a"]


def test_another_mask_for_a_labelled_picture_is_refused_and_the_same_is_fine(place: Place, client: TestClient) -> None:
    upload(client, "a.png", PICTURE)
    upload(client, "a_mask.png", draw_mask(1))
    assert send(client, "a_mask.png", draw_mask(1)).status_code == 200
    refused = send(client, "a_mask.png", draw_mask(0, 1))
    assert refused.status_code == 409
    assert "already annotated" in refused.json()["error"]["message"]
    assert mask_of(place, pictures_of(place)["a.png"])[0, 0] == 1


def test_a_damaged_mask_is_refused(place: Place, client: TestClient) -> None:
    assert send(client, "a_mask.png", draw_mask(1)[:-20]).status_code == 400
    assert not place.ports.store.list_held_masks("acme", "road")
