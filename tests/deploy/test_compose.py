"""The compose file: valid, and in agreement with itself and with the software."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import make_url
from tests.deploy.manifests import DEPLOY, list_extras, list_variables, parse_command, read_documents
from tests.deploy.test_image import SECRETS

from atrous.adapters.bucket import open_bucket
from atrous.server.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE_FILE = DEPLOY / "compose.yaml"
(COMPOSE,) = read_documents(COMPOSE_FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def make_secrets(folder: Path) -> Path:
    """Run the script in a copy, as a person does once."""
    folder.mkdir(exist_ok=True)
    shutil.copy(DEPLOY / "make-secrets", folder)
    subprocess.run([str(folder / "make-secrets")], check=True, capture_output=True, timeout=20)
    return folder / "secrets"


def read_secrets(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_it_fits_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_a_service_names_exists(service: dict[str, Any]) -> None:
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for name, wait in service.get("depends_on", {}).items():
        assert wait["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


def test_every_secret_is_made_by_the_script(tmp_path: Path) -> None:
    made = {f"secrets/{path.name}" for path in make_secrets(tmp_path).iterdir()}
    assert made == {secret["file"] for secret in COMPOSE["secrets"].values()}


def test_secrets_are_made_once(tmp_path: Path) -> None:
    first = read_secrets(make_secrets(tmp_path))
    assert read_secrets(make_secrets(tmp_path)) == first


def test_secrets_differ_each_time_and_agree_with_each_other(tmp_path: Path) -> None:
    secrets = read_secrets(make_secrets(tmp_path / "a"))
    assert secrets["postgres_password"] != read_secrets(make_secrets(tmp_path / "b"))["postgres_password"]
    assert make_url(secrets["database_url"]).password == secrets["postgres_password"]
    (identity,) = json.loads(secrets["s3_identities.json"])["identities"]
    assert identity["credentials"] == [{"accessKey": secrets["s3_key_id"], "secretKey": secrets["s3_key"]}]


def test_secrets_lie_where_only_their_owner_gets_at_them_and_git_does_not_look(tmp_path: Path) -> None:
    assert make_secrets(tmp_path).stat().st_mode & 0o777 == 0o700
    assert "/secrets/" in (DEPLOY / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_database_is_the_service_that_is_there(tmp_path: Path) -> None:
    url = make_url(read_secrets(make_secrets(tmp_path))["database_url"])
    environment = SERVICES[url.host or ""]["environment"]
    assert (url.username, url.database) == (environment["POSTGRES_USER"], environment["POSTGRES_DB"])


def test_the_bucket_is_the_one_that_is_made() -> None:
    for service in OURS.values():
        url = service["environment"]["ATROUS_BLOBS_URL"]
        open_bucket(url)
        endpoint = urlsplit(parse_qs(urlsplit(url).query)["endpoint"][0])
        store = SERVICES[endpoint.hostname or ""]
        assert f":{endpoint.port}/" in store["healthcheck"]["test"][-1]
        assert f"s3.bucket.create -name {urlsplit(url).hostname}" in SERVICES["bucket"]["command"][0]


def test_variables_are_those_that_the_software_or_its_entry_point_reads() -> None:
    known = list_variables() | {f"{name}_FILE" for name in SECRETS}
    for service in OURS.values():
        assert {name for name in service["environment"] if name.startswith("ATROUS_")} <= known


def test_secrets_are_mounted_where_variables_look_for_them() -> None:
    for service in SERVICES.values():
        text = json.dumps(service)
        assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(service.get("secrets", []))


def test_commands_are_those_of_the_command_line() -> None:
    for service in OURS.values():
        parse_command(service["command"])


def test_images_are_built_from_this_repository_with_extras_there_are() -> None:
    for service in OURS.values():
        build = service["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
        extras = build["args"]["EXTRAS"].removeprefix("${ATROUS_SERVER_EXTRAS:-").removesuffix("}")
        assert set(extras.split(",")) <= list_extras()


def test_trainings_have_torch() -> None:
    assert "train" in SERVICES["worker"]["build"]["args"]["EXTRAS"].split(",")


def test_the_balancer_calls_the_servers_on_their_port() -> None:
    caddyfile = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    name, port = re.findall(r"^\s+(?:name|port) (\S+)$", caddyfile, re.MULTILINE)
    assert name in OURS
    assert int(port) == Settings().port
    assert f"127.0.0.1:{port}/readiness" in SERVICES[name]["healthcheck"]["test"][-1]


def test_deployments_are_kept_by_one_service_that_servers_can_call() -> None:
    kept = SERVICES["deployments"]["environment"]
    assert kept["ATROUS_DEPLOYMENTS_HOST"] in SERVICES
    assert SERVICES["server"]["environment"]["ATROUS_DEPLOYMENTS"] == "off"


def test_only_the_balancer_can_be_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]


def test_a_server_is_given_the_time_it_takes_to_end() -> None:
    grace_s = int(SERVICES["server"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > Settings().shutdown_timeout_s + Settings().shutdown_delay_s
