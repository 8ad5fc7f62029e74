"""The server's pages as a person uses them, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import BLUE, GREEN, RED, as_base64, encode_squares
from tests.server.chromium import PROGRAM, open_page

from atrous.runtime.overlay import class_colours_BGR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.chromium import Page

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium to show the pages")

# Background, as its red, green and blue are all too weak.
DARK = (60, 60, 60)
IS_ASKING_FOR_A_KEY = "!document.getElementById('key-form').hidden"
TIMES = "\N{MULTIPLICATION SIGN}"
STATUS = "document.getElementById('status').textContent"
LEGEND = "[...document.querySelectorAll('#legend tr')].map((row) => row.innerText.split('\\t').slice(1).join(' '))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("shown") / "home"
    publish(home)
    with Server(home) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Nothing may go wrong in a page, nor be refused by its policy."""
    yield
    assert page.complaints == []


def give_key(page: Page, key: str) -> None:
    page.wait_for(IS_ASKING_FOR_A_KEY)
    page.evaluate(
        f"document.getElementById('key').value = {key!r}; document.getElementById('key-form').requestSubmit()"
    )


def open_with_key(page: Page, server: Server) -> None:
    page.go_to(f"{server.url}/")
    give_key(page, server.key)
    page.wait_for("!document.getElementById('try').hidden")


def read_pixel(page: Page, x: int, y: int) -> list[int]:
    context = "document.getElementById('canvas').getContext('2d')"
    return page.evaluate(f"[...{context}.getImageData({x}, {y}, 1, 1).data]")[:3]


def test_a_wrong_key_is_told_so_and_asked_for_again(page: Page, server: Server) -> None:
    page.go_to(f"{server.url}/")
    page.wait_for(f"{STATUS} === 'A key is needed to see the models.'")
    give_key(page, "nonsense")
    page.wait_for(f"{STATUS}.includes('not valid')")
    assert page.evaluate(IS_ASKING_FOR_A_KEY)


def test_the_models_that_a_key_may_see_are_listed(page: Page, server: Server) -> None:
    open_with_key(page, server)
    assert page.evaluate("document.getElementById('about').textContent").endswith(", ready")
    (option,) = page.evaluate("[...document.getElementById('model').options].map((one) => one.text)")
    assert option.startswith("main/road-1-")
    assert "(version road/1" in option


def test_a_chosen_picture_is_shown_under_its_mask_with_a_legend(page: Page, server: Server, tmp_path: Path) -> None:
    picture = tmp_path / "squares.png"
    picture.write_bytes(encode_squares([[RED, DARK, BLUE]]))
    open_with_key(page, server)
    page.choose_file("file", picture)
    page.wait_for(f"{STATUS}.startsWith('squares.png: 24 {TIMES} 8 pixels in ')")
    assert sorted(page.evaluate(LEGEND)) == ["background 33.3 %", "blue 33.3 %", "red 33.3 %"]
    colour = class_colours_BGR(4)[1][::-1]
    assert read_pixel(page, 4, 4) == pytest.approx((colour.astype(float) + RED) / 2, abs=2)
    assert read_pixel(page, 12, 4) == list(DARK)


def test_a_dropped_picture_is_shown_too(page: Page, server: Server) -> None:
    open_with_key(page, server)
    text = as_base64(encode_squares([[GREEN]]))
    page.evaluate(
        f"""{{
        const bytes = Uint8Array.from(atob({text!r}), (letter) => letter.charCodeAt(0));
        const dropped = new DataTransfer();
        dropped.items.add(new File([bytes], "green.png", {{ type: "image/png" }}));
        const event = new DragEvent("drop", {{ dataTransfer: dropped, bubbles: true, cancelable: true }});
        document.getElementById("drop").dispatchEvent(event);
        }}"""
    )
    page.wait_for(f"{STATUS}.startsWith('green.png: 8 {TIMES} 8 pixels in ')")
    assert page.evaluate(LEGEND) == ["green 100.0 %"]


def test_what_is_no_picture_is_told_in_the_servers_words(page: Page, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_bytes(b"no picture \xff")
    open_with_key(page, server)
    page.choose_file("file", path)
    page.wait_for(f"{STATUS}.includes('the data is not a picture')")


def test_the_description_of_the_api_lists_its_routes(page: Page, server: Server) -> None:
    page.go_to(f"{server.url}/docs")
    page.wait_for("document.body.innerText.includes('/infer/semantic_segmentation')")
