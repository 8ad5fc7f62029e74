from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_table import read_class_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    [
        "Pixel Value, Class\n0, road\n1, traffic sign",
        "1,traffic sign\n0,road\n",
        'Pixel Value, Class\n0, "road"\n1, "traffic sign"\n',
        "\ufeffPixel Value;Class\r\n0;road\r\n\r\n1;traffic sign\r\n",
        'id,name,note\n0,"road",\n1,traffic sign,\n',
    ],
)
def test_table_is_read_in_order_of_value(text: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_text(text, encoding="utf-8")
    assert list(read_class_table(path).items()) == [(0, "road"), (1, "traffic sign")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,r,g,b\nroad,128,64,128\n", "line 2: 'road' is not a pixel value"),
        ("0,road\n-1,void\n", "line 2: '-1' is not a pixel value"),
        ("0,road\n256,car\n", "line 2: '256' is not a pixel value of 0 to 255"),
        ("0,road\n0,car\n", "line 2 names value 0 a second time"),
        ("0,road\n1,\n", "line 2: value 1 has no class name"),
        ("0,road\n1,tree, dead\n", "line 2: has more than a value and a name"),
        ("Pixel Value,Class\n", "names no class"),
        ("", "names no class"),
    ],
)
def test_table_that_is_none_is_refused_with_its_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(InvalidDatasetError, match=reason):
        read_class_table(path)


def test_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes("0,Straße\n".encode("latin-1"))
    with pytest.raises(InvalidDatasetError, match="is not UTF-8"):
        read_class_table(path)
