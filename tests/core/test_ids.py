from __future__ import annotations

import pytest

from atrous.core.errors import InvalidInputError
from atrous.core.ids import (
    MAX_SLUG_LENGTH,
    RESERVED_SLUGS,
    ModelSlugId,
    VersionId,
    check_slug,
    parse_model_id,
    parse_version_id,
)


@pytest.mark.parametrize("slug", ["a", "7", "road", "road-signs_2", "a" * MAX_SLUG_LENGTH, "a--b"])
def test_a_slug_is_given_back(slug: str) -> None:
    assert check_slug(slug, "project") == slug


@pytest.mark.parametrize(
    "text",
    ["", "Road", "-road", "road-", "_road", "road_", "a" * (MAX_SLUG_LENGTH + 1), "a b", "a/b", "a.b", "ü", "road\n"],
)
def test_what_is_no_slug_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match="project"):
        check_slug(text, "project")


@pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
def test_no_project_takes_a_path_of_the_server(slug: str) -> None:
    with pytest.raises(InvalidInputError):
        check_slug(slug, "project")


def test_a_number_in_second_place_makes_a_version() -> None:
    assert parse_model_id("road/12") == VersionId("road", 12)
    assert parse_version_id("road/12") == VersionId("road", 12)


def test_a_name_in_second_place_makes_a_model() -> None:
    assert parse_model_id("acme/road-12-ab") == ModelSlugId("acme", "road-12-ab")
    assert parse_model_id("acme/1a") == ModelSlugId("acme", "1a")


@pytest.mark.parametrize("text", ["road/12", "acme/road-12-ab"])
def test_an_id_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_model_id(text)) == text


@pytest.mark.parametrize("text", ["", "/", "road", "road/", "/1", "road/1/2", "Road/1", "../1", "road/1 ", "road/²"])
def test_what_is_no_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInputError, match="such as road/1"):
        parse_model_id(text)


def test_a_model_is_no_version() -> None:
    with pytest.raises(InvalidInputError, match="not a version"):
        parse_version_id("acme/road-12-ab")


def test_a_long_id_is_not_repeated_in_full() -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse_model_id("x" * 10_000)
    assert len(str(raised.value)) < 400
