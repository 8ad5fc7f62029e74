from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.fakes.ports import FakeClock, fake_ports

from atrous.adapters.home import open_home
from atrous.core.errors import InvalidInputError, NotFoundError, UnauthorizedError
from atrous.workspace import keys
from atrous.workspace.keys import authenticate, create_key, revoke_key, rotate_key

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    ports = fake_ports(tmp_path)
    ports.store.add_workspace("acme")
    ports.store.add_workspace("other")
    return ports


def test_a_secret_opens_the_workspace_that_it_was_made_for(ports: Ports) -> None:
    key, secret = create_key(ports, "acme", "camera")
    assert authenticate(ports, secret) == key
    assert (key.workspace, key.name, key.revoked) == ("acme", "camera", None)


def test_a_secret_has_160_bits_and_is_never_the_same(ports: Ports) -> None:
    secrets = [create_key(ports, "acme", "camera")[1] for _ in range(50)]
    assert len(set(secrets)) == 50
    assert all(len(bytes.fromhex(secret)) == 20 for secret in secrets)


def test_people_see_the_first_six_characters(ports: Ports) -> None:
    key, secret = create_key(ports, "acme", "camera")
    assert key.prefix == secret[:6]
    assert secret not in repr(key)


def test_the_secret_is_in_no_file_of_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ports = open_home(home)
    ports.store.add_workspace("acme")
    key, secret = create_key(ports, "acme", "camera")
    assert authenticate(ports, secret) == key
    revoke_key(ports, "acme", key.id)
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in kept
    for form in (secret.encode(), secret.upper().encode(), bytes.fromhex(secret)):
        assert form not in kept


@pytest.mark.parametrize("secret", [None, ""])
def test_no_key_is_answered_with_how_to_send_one(ports: Ports, secret: str | None) -> None:
    with pytest.raises(UnauthorizedError, match="Authorization: Bearer"):
        authenticate(ports, secret)


def test_a_secret_must_be_whole_and_exact(ports: Ports) -> None:
    key, secret = create_key(ports, "acme", "camera")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    for guess in (secret[:-1], secret + "0", secret.upper(), f" {secret}", key.prefix, key.id, digest, "ключ"):
        if guess != secret:
            with pytest.raises(UnauthorizedError):
                authenticate(ports, guess)


def test_a_refusal_does_not_repeat_the_secret(ports: Ports) -> None:
    with pytest.raises(UnauthorizedError) as raised:
        authenticate(ports, "guessed-secret")
    assert "guessed-secret" not in str(raised.value)


def test_a_revoked_key_opens_nothing_and_others_stay_valid(ports: Ports) -> None:
    key, secret = create_key(ports, "acme", "camera")
    other, other_secret = create_key(ports, "acme", "laptop")
    revoke_key(ports, "acme", key.id)
    with pytest.raises(UnauthorizedError):
        authenticate(ports, secret)
    assert authenticate(ports, other_secret) == other


def test_a_key_is_revoked_once_and_by_its_own_workspace(ports: Ports) -> None:
    key, secret = create_key(ports, "acme", "camera")
    for workspace, key_id in (("other", key.id), ("acme", "nothing")):
        with pytest.raises(NotFoundError, match=key_id):
            revoke_key(ports, workspace, key_id)
    assert authenticate(ports, secret) == key
    revoke_key(ports, "acme", key.id)
    with pytest.raises(NotFoundError):
        revoke_key(ports, "acme", key.id)


def test_a_key_belongs_to_a_workspace_that_exists(ports: Ports) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        create_key(ports, "nobody", "camera")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_key_has_a_name_of_1_to_100_characters(ports: Ports, name: str) -> None:
    with pytest.raises(InvalidInputError, match="1 to 100"):
        create_key(ports, "acme", name)
    assert ports.store.list_keys("acme") == []
    assert create_key(ports, "acme", "x" * 100)[0].name == "x" * 100


def wait(ports: Ports, minutes: int) -> None:
    assert isinstance(ports.clock, FakeClock)
    ports.clock._now += timedelta(minutes=minutes)


def test_a_secret_has_a_letter_among_its_digits(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["1" * 40, "2" * 40, "3" * 39 + "f", "00000000"])
    monkeypatch.setattr(keys.secrets, "token_hex", lambda _: next(drawn))
    assert create_key(ports, "acme", "camera")[1] == "3" * 39 + "f"


def test_a_rotated_key_stays_the_same_key_under_another_secret(ports: Ports) -> None:
    key, old = create_key(ports, "acme", "camera")
    rotated, new = rotate_key(ports, "acme", key.id)
    assert (rotated.id, rotated.name, rotated.scope, rotated.prefix) == (key.id, key.name, key.scope, new[:6])
    assert rotated.rotated is not None
    assert rotated.rotated > key.created
    assert authenticate(ports, new) == rotated
    with pytest.raises(UnauthorizedError):
        authenticate(ports, old)
    assert ports.store.list_keys("acme") == [rotated]


def test_the_last_secret_is_valid_for_its_grace(ports: Ports) -> None:
    key, old = create_key(ports, "acme", "camera")
    _, new = rotate_key(ports, "acme", key.id, grace_minutes=60)
    wait(ports, 59)
    assert authenticate(ports, old).id == key.id
    wait(ports, 1)
    with pytest.raises(UnauthorizedError):
        authenticate(ports, old)
    assert authenticate(ports, new).id == key.id


def test_only_the_last_secret_has_a_grace(ports: Ports) -> None:
    key, first = create_key(ports, "acme", "camera")
    _, second = rotate_key(ports, "acme", key.id, grace_minutes=60)
    _, third = rotate_key(ports, "acme", key.id, grace_minutes=60)
    with pytest.raises(UnauthorizedError):
        authenticate(ports, first)
    assert {authenticate(ports, secret).id for secret in (second, third)} == {key.id}


def test_revoking_ends_the_grace_too(ports: Ports) -> None:
    key, old = create_key(ports, "acme", "camera")
    _, new = rotate_key(ports, "acme", key.id, grace_minutes=60)
    revoke_key(ports, "acme", key.id)
    for secret in (old, new):
        with pytest.raises(UnauthorizedError):
            authenticate(ports, secret)
    with pytest.raises(NotFoundError, match=key.id):
        rotate_key(ports, "acme", key.id)


def test_a_key_is_rotated_by_its_own_workspace(ports: Ports) -> None:
    key, secret = create_key(ports, "acme", "camera")
    for workspace, key_id in (("other", key.id), ("acme", "none")):
        with pytest.raises(NotFoundError):
            rotate_key(ports, workspace, key_id)
    assert authenticate(ports, secret) == key


@pytest.mark.parametrize("minutes", [-1, 60 * 24 * 30 + 1])
def test_a_grace_is_at_most_30_days(ports: Ports, minutes: int) -> None:
    key, secret = create_key(ports, "acme", "camera")
    with pytest.raises(InvalidInputError, match="30 days"):
        rotate_key(ports, "acme", key.id, grace_minutes=minutes)
    assert authenticate(ports, secret) == key
