from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from atrous.core.errors import InvalidInputError
from atrous.server.settings import OPTIONS, Settings, read_settings


def test_nothing_said_gives_the_defaults() -> None:
    settings = read_settings({}, {}, {})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.auth_required) == ("127.0.0.1", 9001, True)
    assert settings.sdk_task == "instance-segmentation"


def test_an_override_comes_before_the_environment_and_that_before_the_file() -> None:
    config = {"server": {"port": 1, "max_models": 1, "threads": 1}, "other": {}}
    environment = {"ATROUS_PORT": "2", "ATROUS_MAX_MODELS": "2", "PORT": "9", "ATROUS_THREADS": ""}
    settings = read_settings(environment, config, {"port": 3, "max_models": None})
    assert (settings.port, settings.max_models, settings.threads) == (3, 2, 1)


def test_every_field_can_be_set_and_every_option_has_a_field() -> None:
    assert {field for field, _ in OPTIONS.values()} == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(("value", "required"), [("on", True), ("OFF", False), (True, True), (False, False)])
def test_auth_is_a_switch(value: Any, required: bool) -> None:
    assert read_settings({}, {}, {"auth": value}).auth_required is required


@pytest.mark.parametrize(
    ("value", "read"),
    [("road/1, acme/x", ("road/1", "acme/x")), (["road/1"], ("road/1",)), ([], ())],
    ids=str,
)
def test_a_list_is_written_with_commas_or_as_a_list(value: Any, read: tuple[str, ...]) -> None:
    assert read_settings({}, {"server": {"preload_models": value}}, {}).preload_models == read


@pytest.mark.parametrize(
    ("environment", "config", "overrides", "named"),
    [
        ({"ATROUS_PORT": "many"}, {}, {}, "ATROUS_PORT='many': must be a whole number from 0 to 65535"),
        ({"ATROUS_PORT": "70000"}, {}, {}, "ATROUS_PORT='70000'"),
        ({"ATROUS_AUTH": "maybe"}, {}, {}, "ATROUS_AUTH='maybe': must be on or off"),
        ({"ATROUS_SDK_TASK": "detection"}, {}, {}, "ATROUS_SDK_TASK='detection': must be instance-segmentation or"),
        ({"ATROUS_MAX_MODELS": "0"}, {}, {}, "ATROUS_MAX_MODELS='0'"),
        ({}, {"server": {"preload_models": 1}}, {}, r"\[server\] preload_models='1': must be a list"),
        ({"ATROUS_PRECISION": "fp16"}, {}, {}, "ATROUS_PRECISION='fp16': must be auto or fp32 or int8"),
        ({"ATROUS_BACKEND": "torch"}, {}, {}, "ATROUS_BACKEND='torch': must be auto or onnx or openvino"),
        ({}, {}, {"max_batch": 0}, "--max-batch='0': must be a whole number from 1"),
        ({"ATROUS_CORS_ORIGINS": "a,,b"}, {}, {}, "ATROUS_CORS_ORIGINS='a,,b': must be a text"),
        ({"ATROUS_LOG_FORMAT": "xml"}, {}, {}, "ATROUS_LOG_FORMAT='xml': must be people or json"),
        ({}, {"server": {"port": True}}, {}, r"\[server\] port='True'"),
        ({}, {"server": {"port": 1.5}}, {}, r"\[server\] port='1.5'"),
        ({}, {"server": {"host": 5}}, {}, r"\[server\] host='5': must be a text"),
        ({}, {"server": {"prot": 1}}, {}, r"\[server\] prot: unknown"),
        ({}, {"server": 1}, {}, "must be a table"),
        ({}, {}, {"max_pixels": -1}, "--max-pixels='-1'"),
        ({}, {}, {"colour": 1}, "'colour': unknown"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_source(
    environment: dict[str, str], config: dict[str, Any], overrides: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInputError, match=named):
        read_settings(environment, config, overrides)
