"""Annotations over HTTP: every text format gives the masks that an import of the same files gives."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.datasets.generated import (
    CLASS_NAMES,
    GENERATORS,
    ROAD,
    SIGN,
    VOID,
    Scene,
    coco_document,
    draw_scenes,
)
from tests.datasets.generated_outlines import label_studio_task, labelme_document, yolo_line
from tests.server.uploading import (
    add_project,
    annotate,
    class_names,
    encode,
    mask_of,
    pictures_of,
    upload,
)

from atrous.workspace.imports import import_dataset
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.server.place import Place

SCENE = draw_scenes()[0]
NULL = {
    "id": 999999999,
    "image_id": 999999999,
    "category_id": 0,
    "area": 1,
    "segmentation": [],
    "iscrowd": 0,
    "bbox": [0, 0, 1, 1],
}


@pytest.fixture
def client(place: Place) -> TestClient:
    add_project(place, "road")
    return place.client(key=place.key)


def upload_scene(client: TestClient, scene: Scene = SCENE) -> str:
    return upload(client, f"{scene.stem}.jpg", encode(scene.image_HWC, ".jpg"), split=scene.split.value)


def coco_of(scene: Scene) -> str:
    return json.dumps(coco_document([scene]))


def yolo_of(scene: Scene, folder: Path) -> str:
    return (folder / scene.split / "labels" / f"{scene.stem}.txt").read_text()


def supervisely_of(scene: Scene, folder: Path) -> str:
    return (folder / scene.split / "ann" / f"{scene.stem}.jpg.json").read_text()


TEXTS: dict[str, Callable[[Scene, Path], tuple[str, str, dict[str, str] | None]]] = {
    "coco": lambda scene, _: ("annotation.coco.json", coco_of(scene), None),
    "yolo": lambda scene, folder: ("a.txt", yolo_of(scene, folder), {"0": "road", "1": "sign", "2": "void"}),
    "labelme": lambda scene, _: ("a.json", json.dumps(labelme_document(scene)), None),
    "label-studio": lambda scene, _: ("a.json", json.dumps([label_studio_task(1, scene)]), None),
    "supervisely": lambda scene, folder: ("a.json", supervisely_of(scene, folder), None),
}


@pytest.mark.parametrize("format_name", TEXTS)
def test_masks_are_those_of_an_import_of_the_same_files(
    place: Place, client: TestClient, tmp_path: Path, format_name: str
) -> None:
    folder = tmp_path / "dataset"
    scenes = GENERATORS[format_name].write(folder)
    import_dataset(place.ports, "acme", "imported", folder)
    for scene in scenes:
        picture_id = upload(
            client, f"{scene.stem}.jpg", (folder / GENERATORS[format_name].picture_path(scene)).read_bytes()
        )
        name, text, labelmap = TEXTS[format_name](scene, folder)
        reply = annotate(client, picture_id, name, text, labelmap=labelmap)
        assert (reply.status_code, reply.json()) == (200, {"success": True}), reply.text
    ours, theirs = pictures_of(place), pictures_of(place, "imported")
    assert ours.keys() == theirs.keys()
    for name, picture in ours.items():
        assert mask_of(place, picture).tolist() == mask_of(place, theirs[name]).tolist()
        assert (picture.class_pixels, picture.look) == (theirs[name].class_pixels, theirs[name].look)
    assert class_names(place) == class_names(place, "imported") == CLASS_NAMES


def test_compressed_run_lengths_are_read(place: Place, client: TestClient) -> None:
    mask_utils = pytest.importorskip("pycocotools.mask")
    picture_id = upload_scene(client)
    runs = mask_utils.encode(np.asfortranarray(SCENE.mask_HW == ROAD))
    document = coco_document([SCENE])
    document["annotations"] = [
        {
            "id": 1,
            "image_id": 0,
            "category_id": 5,
            "segmentation": {"size": runs["size"], "counts": runs["counts"].decode()},
        }
    ]
    assert annotate(client, picture_id, "annotation.coco.json", json.dumps(document)).status_code == 200
    mask_HW = mask_of(place, pictures_of(place)[f"{SCENE.stem}.jpg"])
    assert ((mask_HW == 1) == (SCENE.mask_HW == ROAD)).all()


def test_roboflows_fake_annotation_means_background(place: Place, client: TestClient) -> None:
    picture_id = upload_scene(client)
    text = json.dumps(coco_document([SCENE]) | {"annotations": [NULL]})
    assert annotate(client, picture_id, "annotation.coco.json", text).status_code == 200
    (picture,) = pictures_of(place).values()
    assert not mask_of(place, picture).any()
    assert picture.class_pixels == {0: SCENE.mask_HW.size}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", ""),
        ("a.json", json.dumps(labelme_document(SCENE) | {"shapes": []})),
        ("a.json", json.dumps({"size": {"height": 24, "width": 32}, "objects": []})),
        ("a.json", json.dumps([label_studio_task(1, SCENE) | {"annotations": [{"result": []}]}])),
    ],
)
def test_an_annotation_without_objects_means_background(place: Place, client: TestClient, name: str, text: str) -> None:
    reply = annotate(client, upload_scene(client), name, text)
    assert reply.status_code == 200, reply.text
    assert not mask_of(place, pictures_of(place)[f"{SCENE.stem}.jpg"]).any()
    assert class_names(place) == ("background",)


def test_categories_are_matched_by_name_and_placeholders_dropped(place: Place) -> None:
    add_project(place, "road", "tree", "Sign")
    client = place.client(key=place.key)
    annotate(client, upload_scene(client), "annotation.coco.json", coco_of(SCENE))
    assert class_names(place) == ("background", "tree", "Sign", "road")
    mask_HW = mask_of(place, pictures_of(place)[f"{SCENE.stem}.jpg"])
    assert (mask_HW[SCENE.mask_HW == SIGN] == 2).all()
    assert (mask_HW[SCENE.mask_HW == ROAD] == 3).all()
    assert (mask_HW[SCENE.mask_HW == VOID] == VOID).all()


def test_the_picture_is_found_by_name_where_a_file_lists_several(place: Place, client: TestClient) -> None:
    scenes = draw_scenes()
    picture_id = upload_scene(client, scenes[1])
    assert annotate(client, picture_id, "all.json", json.dumps(coco_document(scenes))).status_code == 200
    mask_HW = mask_of(place, pictures_of(place)[f"{scenes[1].stem}.jpg"])
    assert (mask_HW == scenes[1].mask_HW).all()


def test_a_body_may_be_the_file_itself(place: Place, client: TestClient) -> None:
    picture_id = upload_scene(client)
    for path in (f"/dataset/road/annotate/{picture_id}", f"/acme/road/annotate/{picture_id}"):
        reply = client.post(
            path, params={"name": "x.json"}, content=coco_of(SCENE), headers={"content-type": "text/plain"}
        )
        assert reply.json() == {"success": True}
    assert (mask_of(place, pictures_of(place)[f"{SCENE.stem}.jpg"]) == SCENE.mask_HW).all()


def test_another_label_is_refused_unless_it_shall_replace(place: Place, client: TestClient) -> None:
    picture_id = upload_scene(client)
    name = "annotation.coco.json"
    changed = json.dumps(coco_document([SCENE]) | {"annotations": [NULL]})
    assert annotate(client, picture_id, name, coco_of(SCENE)).status_code == 200
    assert annotate(client, picture_id, name, coco_of(SCENE)).status_code == 200
    refused = annotate(client, picture_id, name, changed)
    assert refused.status_code == 409
    assert "already annotated" in refused.json()["error"]["message"]
    assert (mask_of(place, pictures_of(place)[f"{SCENE.stem}.jpg"]) == SCENE.mask_HW).all()
    assert annotate(client, picture_id, name, changed, overwrite="true").status_code == 200
    assert not mask_of(place, pictures_of(place)[f"{SCENE.stem}.jpg"]).any()


def test_a_refused_label_leaves_no_class_behind(place: Place, client: TestClient) -> None:
    picture_id = upload_scene(client)
    annotate(client, picture_id, "a.txt", "")
    assert annotate(client, picture_id, "annotation.coco.json", coco_of(SCENE)).status_code == 409
    assert class_names(place) == ("background",)


def test_a_prediction_is_marked_and_gives_way_to_a_person(place: Place, client: TestClient) -> None:
    picture_id = upload_scene(client)
    empty = json.dumps(coco_document([SCENE]) | {"annotations": [NULL]})
    assert annotate(client, picture_id, "p.json", empty, prediction="true").status_code == 200
    assert pictures_of(place)[f"{SCENE.stem}.jpg"].tags == ("prediction",)
    assert annotate(client, picture_id, "a.json", coco_of(SCENE)).status_code == 200
    (picture,) = pictures_of(place).values()
    assert picture.tags == ()
    assert (mask_of(place, picture) == SCENE.mask_HW).all()
    again = annotate(client, picture_id, "p.json", empty, prediction="true", overwrite="true")
    assert again.status_code == 409


TRIANGLE = yolo_line(3, 1, 1, 5, 5)


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("a.xml", "<annotation><object><bndbox/></object></annotation>", "boxes do not say which pixels"),
        ("a", "<annotation/>", "boxes"),
        ("_annotations.csv", "filename,width\na,1", "boxes"),
        ("a.jsonl", '{"image": "a"}', "pixels"),
        ("a.json", '[{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": {"x": 1}}]}]', "CreateML"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"hello": 1}', "none of COCO"),
        ("a.json", "[]", "none of COCO"),
        ("a.json", "[1]", "none of COCO"),
        ("a.json", '{"images": [], "annotations": [], "categories": []}', "lists 0 pictures"),
        ("a.json", '{"images": [{"id": 1}], "annotations": []}', "'categories'"),
        ("a.json", '{"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "'height'"),
        ("a.json", '{"shapes": 1}', "none of COCO"),
        ("a.txt", "0 0.5 0.5 0.2 0.2", "labelmap"),
        ("a.md", "0 0.5 0.5 0.2 0.2", "no known format"),
        ("a.txt", "hello", "labelmap"),
    ],
)
def test_what_is_no_mask_is_refused_in_a_sentence_about_the_file(
    place: Place, client: TestClient, name: str, text: str, part: str
) -> None:
    reply = annotate(client, upload_scene(client), name, text)
    assert reply.status_code == 400, reply.text
    message = reply.json()["error"]["message"]
    assert part in message
    assert message.startswith(name)
    assert pictures_of(place)[f"{SCENE.stem}.jpg"].mask_sha256 is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("0 0.5 0.5 0.2 0.2", "only boxes"),
        (TRIANGLE, "class 3"),
        ("0 0.1 0.1 7 0.1 0.1 0.1", "not from 0 to 1"),
        ("0 nan 0.1 0.2 0.1 0.1 0.1", "line 1"),
    ],
)
def test_lines_that_are_no_outlines_are_refused(client: TestClient, text: str, part: str) -> None:
    reply = annotate(client, upload_scene(client), "a.txt", text, labelmap={"0": "road"})
    assert reply.status_code == 400
    assert part in reply.json()["error"]["message"]


def test_an_annotation_of_another_size_is_refused(client: TestClient) -> None:
    document = coco_document([SCENE])
    document["images"][0]["width"] += 1
    document["annotations"] = document["annotations"][:1]
    reply = annotate(client, upload_scene(client), "annotation.coco.json", json.dumps(document))
    assert reply.status_code == 400
    assert "33x24" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"\x89PNG\r\n\x1a\n\xff",
        b'{"annotationFile": 1}',
        b'{"annotationFile": "", "labelmap": [1]}',
        b'{"annotationFile": "", "labelmap": {"a": "b"}}',
        b'{"annotationFile": "", "labelmap": {"0": 1}}',
        b"",
    ],
)
def test_a_body_of_another_form_is_refused(client: TestClient, body: bytes) -> None:
    picture_id = upload_scene(client)
    reply = client.post(f"/dataset/road/annotate/{picture_id}", content=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


def test_ten_threads_bring_new_classes_at_once(place: Place, client: TestClient) -> None:
    pictures = [np.full((16, 16, 3), 10 * n, np.uint8) for n in range(20)]
    ids = [upload(client, f"{n}.png", encode(image_HWC)) for n, image_HWC in enumerate(pictures)]

    def label(n: int) -> int:
        square = "0 0.0 0.0 0.5 0.0 0.5 0.5 0.0 0.5"
        return annotate(client, ids[n], "a.txt", square, labelmap={"0": f"class {n % 10}"}).status_code

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(label, range(20))) == {200}
    names = class_names(place)
    assert sorted(names[1:]) == [f"class {n}" for n in range(10)]
    for n in range(20):
        assert names[mask_of(place, pictures_of(place)[f"{n}.png"])[0, 0]] == f"class {n % 10}"


def test_a_label_and_a_tag_that_come_at_once_both_stay(place: Place, client: TestClient) -> None:
    data = encode(SCENE.image_HWC, ".jpg")
    picture_id = upload(client, "a.jpg", data)

    def act(n: int) -> None:
        if n == 4:
            assert annotate(client, picture_id, "a.json", coco_of(SCENE)).status_code == 200
        else:
            upload(client, "a.jpg", data, tag=f"t{n}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, range(8)))
    (picture,) = pictures_of(place).values()
    assert picture.mask_sha256 is not None
    assert sorted(picture.tags) == ["t0", "t1", "t2", "t3", "t5", "t6", "t7"]


def test_a_picture_elsewhere_is_not_there(place: Place, client: TestClient) -> None:
    picture_id = upload_scene(client)
    add_project(place, "sea")
    _, other = create_key(place.ports, "other", "tests")
    _, reader = create_key(place.ports, "acme", "tests", scope=Scope.READ)
    for key, path, status in [
        (place.key, f"/dataset/sea/annotate/{picture_id}", 404),
        (place.key, "/dataset/road/annotate/nothing", 404),
        (other, f"/dataset/road/annotate/{picture_id}", 404),
        (other, f"/acme/road/annotate/{picture_id}", 404),
        (reader, f"/dataset/road/annotate/{picture_id}", 403),
    ]:
        reply = place.client(key=key).post(path, params={"name": "a.txt"}, json={"annotationFile": ""})
        assert reply.status_code == status
    assert pictures_of(place)[f"{SCENE.stem}.jpg"].mask_sha256 is None
