from __future__ import annotations

from atrous.cli.precisions import describe_int8, list_networks, show_int8
from atrous.evaluation.about import Network

BOTH = {"miou": 0.5647, "fp32_bytes": 17_863_704, "int8_miou": 0.5652, "int8_bytes": 5_101_777}
REFUSED = {"miou": 0.5647, "fp32_bytes": 17_863_704, "int8_reason": "no network in 8 bits, as it failed"}
OLD = {"miou": 0.5647, "served_miou": 0.5}


def test_a_network_in_8_bits_is_told_with_score_and_size() -> None:
    assert describe_int8(BOTH) == "int8: mIoU 56.5 % on valid by plain winner, 5.1 MB instead of 17.9 MB"
    assert show_int8(BOTH) == "56.5 %, 5.1 of 17.9 MB"
    assert list_networks(BOTH) == (Network("fp32", 0.5647, 17_863_704), Network("int8", 0.5652, 5_101_777))


def test_why_there_is_none_is_told() -> None:
    assert describe_int8(REFUSED) == "int8: no network in 8 bits, as it failed"
    assert show_int8(REFUSED) == "n/a"
    assert list_networks(REFUSED) == (Network("fp32", 0.5647, 17_863_704),)


def test_models_from_before_have_none() -> None:
    assert describe_int8(OLD) == "int8: the model has no network in 8 bits"
    assert list_networks(OLD) == (Network("fp32", 0.5647, None),)
