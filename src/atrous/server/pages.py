"""The server's pages: files complete in themselves, under a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import orjson

from atrous.core.class_map import MAX_CLASSES
from atrous.runtime.overlay import class_colours_BGR

FOLDER = Path(__file__).parent / "html"
# The colours of overlays, written into the page that draws its own.
COLOURS_PLACE = "__COLOURS__"


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes of a page and the headers it is sent with."""

    content: bytes
    headers: dict[str, str]


def read_page(name: str) -> Page:
    """Read a page of ours; its policy allows the script and style inside it by their hashes, and this server alone."""
    text = (FOLDER / name).read_text(encoding="utf-8").replace(COLOURS_PLACE, _list_colours())
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash_inside(text, 'script')}",
            f"style-src {_hash_inside(text, 'style')}",
            "img-src blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Page(text.encode(), headers)


def _list_colours() -> str:
    """Colours by class id as a JSON array of `#rrggbb`."""
    return orjson.dumps(
        [f"#{red:02x}{green:02x}{blue:02x}" for blue, green, red in class_colours_BGR(MAX_CLASSES)]
    ).decode()


def _hash_inside(text: str, element: str) -> str:
    """The hash by which a policy allows the page's one element of this name that has no attributes."""
    (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


HOME_PAGE = read_page("home.html")
DOCS_PAGE = read_page("docs.html")
SIGN_IN_PAGE = read_page("sign_in.html")
