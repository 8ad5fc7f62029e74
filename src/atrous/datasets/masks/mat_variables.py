"""The variables of a MATLAB file as -v6 and -v7 save it, found in bounded memory whatever the file says.

Not by SciPy: it looks the kinds of values up without a check, so that some damaged files end the process.
Source for the layout: "MAT-File Format" by The MathWorks, Level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File

# A matrix of numbers, the rows of a text, cells or structs in order of columns, or None for what is not read.
Value: TypeAlias = "NDArray[Any] | tuple[str, ...] | list[Any] | None"

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HEADER_BYTES = 128
VERSION = 0x0100
BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
INT32, UINT32, MATRIX, COMPRESSED = 5, 6, 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
CELL, STRUCT, TEXT = 1, 2, 4
NUMERIC = range(6, 16)
WITHOUT_DIMENSIONS = frozenset({16, 17})  # functions, and objects of newer classes
COMPLEX_FLAG = 0x0800
# Labels hold a few matrices and at most some hundred names.
MAX_MATRICES = 5000
MAX_DEPTH = 8
SAVE_AGAIN = "copy it again or save it again from MATLAB with -v7"


class _DamagedError(Exception):
    """A file that contradicts itself."""


class _TooLargeError(Exception):
    """A file that holds more than a label can need; the text says of what."""


def read_variables(file: File, limit_bytes: int) -> dict[str, Value] | Finding:
    """Read all variables by name, or say why they cannot be read.

    Numbers keep the type that they are stored in, which may be smaller than that of their variable.

    Args:
        file: a MATLAB file.
        limit_bytes: how many bytes the values may have, once they are inflated.
    """
    try:
        data = file.read_head(limit_bytes + 1)
        if data.startswith(HDF5_SIGNATURE) or data[512:520] == HDF5_SIGNATURE:
            reason = "was saved by MATLAB with -v7.3, which is not read"
            return Finding(Kind.WRONG_KIND_OF_MASK, file.name, reason, "save it again with -v7")
        return _Reader(_find_order(data)).read(data, limit_bytes)
    except UnreadableFileError as error:
        return Finding(Kind.UNREADABLE, file.name, str(error), "check that it exists and may be read")
    except _TooLargeError as error:
        reason = f"holds more than {error}, which is more than a label of its picture can need"
        return Finding(Kind.TOO_LARGE, file.name, reason, "save the label alone")
    except (_DamagedError, zlib.error, struct.error):
        return Finding(Kind.DAMAGED_LABEL, file.name, "is cut off, damaged or no MATLAB file", SAVE_AGAIN)


def _find_order(data: bytes) -> str:
    order = BYTE_ORDERS.get(data[HEADER_BYTES - 2 : HEADER_BYTES])
    if order is None or struct.unpack_from(f"{order}H", data, HEADER_BYTES - 4) != (VERSION,):
        raise _DamagedError
    return order


@dataclass(slots=True)
class _Reader:
    """Reads elements, none of which may reach out of the one it is in."""

    order: str
    matrices: int = 0

    def read(self, data: bytes, limit_bytes: int) -> dict[str, Value]:
        """All variables of a file."""
        if len(data) > limit_bytes:
            raise _TooLargeError(f"{limit_bytes} bytes")
        variables: dict[str, Value] = {}
        left_bytes = limit_bytes
        at = HEADER_BYTES
        while at < len(data):
            kind, content, at = self._read_element(memoryview(data), at, padding=1)
            if kind == COMPRESSED:
                inflated = _inflate(content, left_bytes)
                left_bytes -= len(inflated)
                kind, content, _ = self._read_element(memoryview(inflated), 0)
            if kind != MATRIX:
                raise _DamagedError
            name, value = self._read_matrix(content, 0)
            variables[name] = value
        # MATLAB keeps what its objects share in a variable without name.
        return {name: value for name, value in variables.items() if name}

    def _read_element(self, data: memoryview, at: int, padding: int = 8) -> tuple[int, memoryview, int]:
        """Kind and content of the element at a place, and where the next one is."""
        kind, count = struct.unpack_from(f"{self.order}2I", data, at)
        if kind >> 16:  # a small element has its content in its tag
            if kind >> 16 > 4:
                raise _DamagedError
            return kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)], at + 8
        stop = at + 8 + count
        if stop > len(data):
            raise _DamagedError
        return kind, data[at + 8 : stop], stop + -count % padding

    def _elements(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        at = 0
        while at < len(data):
            kind, content, at = self._read_element(data, at)
            yield kind, content

    def _read_matrix(self, data: memoryview, depth: int) -> tuple[str, Value]:
        self.matrices += 1
        if self.matrices > MAX_MATRICES or depth > MAX_DEPTH:
            raise _TooLargeError(f"{MAX_MATRICES} cells and fields, or {MAX_DEPTH} in each other")
        if not data:
            return "", None
        elements = self._elements(data)
        kind, content = _take(elements)
        if kind != UINT32 or len(content) != 8:
            raise _DamagedError
        flags = int(self._read_numbers(kind, content)[0])
        class_code = flags & 0xFF
        if class_code in WITHOUT_DIMENSIONS:
            return bytes(_take(elements)[1]).decode("latin-1"), None
        dims = tuple(self._read_integers(*_take(elements)))
        if not 2 <= len(dims) <= 32 or min(dims) < 0:
            raise _DamagedError
        name = bytes(_take(elements)[1]).decode("latin-1")
        if class_code in NUMERIC and flags & COMPLEX_FLAG:
            return name, None
        return name, self._read_value(class_code, dims, elements, depth)

    def _read_value(
        self, class_code: int, dims: tuple[int, ...], elements: Iterator[tuple[int, memoryview]], depth: int
    ) -> Value:
        if class_code in NUMERIC:
            numbers = self._read_numbers(*_take(elements))
            if len(numbers) != math.prod(dims):
                raise _DamagedError
            return numbers.reshape(dims, order="F")
        if class_code == TEXT:
            return self._read_rows(dims, *_take(elements))
        if class_code == CELL:
            cells = self._read_children(elements, depth)
            if len(cells) != math.prod(dims):
                raise _DamagedError
            return cells
        return self._read_structs(dims, elements, depth) if class_code == STRUCT else None

    def _read_structs(
        self, dims: tuple[int, ...], elements: Iterator[tuple[int, memoryview]], depth: int
    ) -> list[dict[str, Value]]:
        lengths = self._read_integers(*_take(elements))
        names = bytes(_take(elements)[1])
        if len(lengths) != 1 or lengths[0] < 1:
            raise _DamagedError
        length = lengths[0]
        fields = [names[at : at + length].split(b"\0")[0].decode("latin-1") for at in range(0, len(names), length)]
        values = self._read_children(elements, depth)
        if len(values) != math.prod(dims) * len(fields):
            raise _DamagedError
        step = len(fields) or 1
        return [dict(zip(fields, values[at : at + step], strict=True)) for at in range(0, len(values), step)]

    def _read_children(self, elements: Iterator[tuple[int, memoryview]], depth: int) -> list[Value]:
        children: list[Value] = []
        for kind, content in elements:
            if kind != MATRIX:
                raise _DamagedError
            children.append(self._read_matrix(content, depth + 1)[1])
        return children

    def _read_numbers(self, kind: int, content: memoryview) -> NDArray[Any]:
        if not content:
            return np.empty(0, np.uint8)
        if kind not in NUMBERS:
            raise _DamagedError
        dtype = np.dtype(self.order + NUMBERS[kind])
        if len(content) % dtype.itemsize:
            raise _DamagedError
        return np.frombuffer(content, dtype)

    def _read_integers(self, kind: int, content: memoryview) -> list[int]:
        if kind != INT32:
            raise _DamagedError
        return self._read_numbers(kind, content).tolist()

    def _read_rows(self, dims: tuple[int, ...], kind: int, content: memoryview) -> tuple[str, ...]:
        """The rows of a text, which is stored column by column."""
        if kind not in TEXTS:
            raise _DamagedError
        wide = {"utf-16": 2, "utf-32": 4}.get(TEXTS[kind])
        codec = f"{TEXTS[kind]}-{'le' if self.order == '<' else 'be'}" if wide else TEXTS[kind]
        text = bytes(content).decode(codec, errors="replace")
        rows = dims[0]
        if rows > MAX_MATRICES:
            raise _TooLargeError(f"{MAX_MATRICES} rows of text")
        return tuple(text[row::rows] for row in range(rows))


def _take(elements: Iterator[tuple[int, memoryview]]) -> tuple[int, memoryview]:
    element = next(elements, None)
    if element is None:
        raise _DamagedError
    return element


def _inflate(compressed: memoryview, limit_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(compressed, max(limit_bytes, 1))
    if inflater.unconsumed_tail:
        raise _TooLargeError(f"{limit_bytes} bytes")
    if not inflater.eof:
        raise _DamagedError
    return inflated
