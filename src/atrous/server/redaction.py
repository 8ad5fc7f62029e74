"""Keeps keys out of everything that is written down."""

from __future__ import annotations

import re

from atrous.server.notes import current_notes

MASK = "***"
# Shorter ones would mask half of every sentence and can be no key of ours.
MIN_SECRET_LENGTH = 4

# Our keys, wherever they stand; longer hashes are left alone.
OUR_KEY = re.compile(r"(?<![0-9A-Fa-f])()[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")
PATTERNS = (
    OUR_KEY,
    re.compile(r"(api_key[\\\"']*\s*(?:=|:|%3D)\s*[\\\"']*)[^\s\"'\\&,;}\])]+", re.IGNORECASE),
    re.compile(r"(\b(?:bearer|basic)\s+)[^\s\"',;}\])]+", re.IGNORECASE),
)


def redact(text: str) -> str:
    """Mask what the current request sent as a key, and whatever looks like a key."""
    notes = current_notes()
    for secret in notes.secrets if notes else ():
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, MASK)
    for pattern in PATTERNS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def mask_keys(text: str) -> str:
    """Mask keys of ours alone, for what is sent back: someone may have written his in the place of a name."""
    return OUR_KEY.sub(MASK, text)
