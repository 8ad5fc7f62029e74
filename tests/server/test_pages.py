from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from atrous.runtime.overlay import class_colours_BGR

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.place import Place

PAGES = ["/", "/docs", "/auth-cli"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_that_asks_for_nothing_from_elsewhere(place: Place, path: str) -> None:
    reply = place.client().get(path)
    assert reply.headers["content-type"].startswith("text/html")
    assert not re.findall(r"(?:src|href|action)\s*=\s*[\"']?(?:https?:)?//", reply.text)
    assert not re.findall(r"https?://|@import|\son\w+=|\sstyle=", reply.text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_allows_its_own_script_and_style_and_nothing_else(place: Place, path: str) -> None:
    reply = place.client().get(path)
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    for element, rule in (("script", "script-src"), ("style", "style-src")):
        (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", reply.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy[rule] == f"'sha256-{digest}'"


def test_the_page_paints_classes_in_the_colours_of_overlays(place: Place) -> None:
    (text,) = re.findall(r'<script type="application/json" id="colours">(.*?)</script>', place.client().get("/").text)
    colours = [[int(one[at : at + 2], 16) for at in (5, 3, 1)] for one in json.loads(text)]
    assert colours == class_colours_BGR(255).tolist()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to check the syntax of the pages' scripts")
@pytest.mark.parametrize("path", PAGES)
def test_a_pages_script_is_well_formed(place: Place, tmp_path: Path, path: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", place.client().get(path).text, re.DOTALL)
    file = tmp_path / "page.js"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run(["node", "--check", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
