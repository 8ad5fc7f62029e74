"""What a caller likes best, by its header `Accept`."""

from __future__ import annotations

import re

JPEG, JSON, PNG = "image/jpeg", "application/json", "image/png"
# RFC 9110, 12.4.2.
WEIGHT = re.compile(r";\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE)


def prefers_png(accept: str) -> bool:
    """Whether the PNG is named and nothing else is liked as much, or is named before it and liked as much.

    Browsers name pictures too, but behind pages; whoever likes anything gets what everybody gets.
    """
    favourite, best = "", 0.0
    for named in accept.split(","):
        weight = WEIGHT.search(named)
        liking = float(weight[1]) if weight else 1.0
        if liking > best:
            favourite, best = named.partition(";")[0].strip().lower(), liking
    return favourite == PNG
