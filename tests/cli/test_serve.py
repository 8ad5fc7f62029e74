from __future__ import annotations

import base64
import json
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.cli.terminal import SECRET, Server, publish, run_process
from tests.fakes.pictures import RED, encode_squares, read_mask

from atrous.adapters.home import open_home
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.terminal import Said

PICTURE = base64.b64encode(encode_squares([[RED]]))


def post(server: Server, key: str | None = None, **options: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{server.url}/road/1", content=PICTURE, headers=headers, timeout=30, **options)  # type: ignore[arg-type]


def ways_to_send(key: str) -> list[dict[str, Any]]:
    """Options of a request: in the query, as a bearer, as the password and the user of HTTP Basic."""
    bearer = {"headers": {"authorization": f"Bearer {key}"}}
    return [{"params": {"api_key": key}}, bearer, {"auth": ("", key)}, {"auth": (key, "")}]


def find_secrets(lines: list[str]) -> list[str]:
    return [line for line in lines if SECRET.match(line)]


def test_the_first_start_prints_a_key_and_no_other_start_does(home: Path) -> None:
    publish(home)
    with Server(home) as server:
        secret = server.key
        reply = post(server, secret)
        assert reply.status_code == 200
        assert read_mask(reply.json()).tolist() == [[1] * 8] * 8
    with Server(home) as server:
        assert server.out == []
        assert post(server, secret).status_code == 200


def test_no_key_is_ever_in_the_log(home: Path) -> None:
    publish(home)
    _, secret = create_key(open_home(home), "main", "tests")
    with Server(home) as server:
        assert post(server, secret).status_code == 200
        assert post(server, params={"api_key": secret}).status_code == 200
        assert post(server, "guessed-key-in-a-header").status_code == 401
        assert post(server, params={"api_key": "guessed-key-in-a-query"}).status_code == 401
        body = {"model_id": "road/1", "api_key": secret, "image": {"type": "base64", "value": PICTURE.decode()}}
        url = f"{server.url}/infer/semantic_segmentation"
        assert httpx.post(url, json=body, timeout=30).status_code == 200
        assert httpx.post(url, json=body | {"api_key": "guessed-key-in-a-body"}, timeout=30).status_code == 401
        assert httpx.post(url, content=f'{{"api_key": "{secret}", "image"', timeout=30).status_code >= 400
        assert httpx.get(f"{server.url}/nothing?api_key={secret}", timeout=30).status_code >= 400
        server.end()
    written = "\n".join(server.out + server.err)
    assert "/road/1" in written, "requests are logged"
    for unwanted in (secret, "guessed-key", PICTURE.decode()[:40]):
        assert unwanted not in written


def test_a_server_says_when_it_is_ready(server: Server) -> None:
    # Right after its line: whoever calls then waits for an answer instead of being refused.
    reply = httpx.get(f"{server.url}/readiness", timeout=30)
    assert (reply.status_code, reply.json()) == (200, {"status": "ready"})


def test_a_running_server_refuses_a_key_as_soon_as_it_is_revoked(
    server: Server, served_home: Path, atrous: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATROUS_HOME", str(served_home))
    secret = atrous("key", "create", "--name", "leaked").last_line
    assert post(server, secret).status_code == 200
    key = next(key for key in open_home(served_home).store.list_keys("main") if key.name == "leaked")
    assert atrous("key", "revoke", key.id).code == 0
    refused = post(server, secret)
    assert refused.status_code == 401
    assert secret not in refused.text
    assert post(server).status_code == 401


def test_a_model_published_while_it_runs_is_served(server: Server, served_home: Path) -> None:
    _, secret = create_key(open_home(served_home), "main", "tests")
    url = f"{server.url}/road/2"
    headers = {"authorization": f"Bearer {secret}"}
    assert httpx.post(url, content=PICTURE, headers=headers, timeout=30).status_code == 404
    publish(served_home, version=2, training="t2")
    assert httpx.post(url, content=PICTURE, headers=headers, timeout=30).status_code == 200


def test_with_auth_off_nobody_needs_a_key_and_none_is_made(home: Path) -> None:
    publish(home)
    with Server(home, ("--auth", "off")) as server:
        assert post(server).status_code == 200
        assert server.out == []
    assert open_home(home).store.list_keys("main") == []


def test_a_server_that_is_asked_to_end_ends_quietly(home: Path) -> None:
    with Server(home) as server:
        httpx.get(f"{server.url}/healthz", timeout=30)
        code = server.end()
    # By the signal itself, as service managers expect, or with success.
    assert code in (0, -15)
    assert not any("Traceback" in line or "error:" in line for line in server.err)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = run_process(tmp_path / "home", "serve", "--port", str(port), "--auth", "off")
    assert said.code == 2
    assert said.out == ""
    assert f"127.0.0.1:{port}: cannot listen there (Address already in use)" in said.error
    assert said.err == f"error: {said.error}\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--port", "99999"], "--port"),
        (["--port", "-1"], "--port"),
        (["--auth", "maybe"], "--auth"),
        (["--host", ""], "--host"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_by_name(
    atrous: Callable[..., Said], options: list[str], problem: str
) -> None:
    said = atrous("serve", *options)
    assert said.code == 2
    assert problem in said.error


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"[server\n", "not valid TOML"), (b"\xff", "not valid TOML"), (b"[server]\nprot = 1\n", "prot")],
)
def test_a_config_file_that_cannot_be_is_refused(
    atrous: Callable[..., Said], home: Path, content: bytes, problem: str
) -> None:
    home.mkdir()
    (home / "config.toml").write_bytes(content)
    said = atrous("serve", "--port", 0)
    assert said.code == 2
    assert problem in said.error


@pytest.mark.parametrize("form", ["people", "json"])
def test_no_key_is_written_anywhere_however_it_is_sent_and_whatever_goes_wrong(home: Path, form: str) -> None:
    publish(home)
    _, secret = create_key(open_home(home), "main", "tests")
    guessed = "guessed-key-of-nobody"

    def predict(**sent: Any) -> int:
        return httpx.post(f"{server.url}/road/1", content=PICTURE, timeout=30, **sent).status_code

    body = {"model_id": "road/1", "image": {"type": "base64", "value": PICTURE.decode()}}
    with Server(home, ("--log-format", form), settings={"log_level": "debug"}) as server:
        for key in (secret, guessed):
            for sent in ways_to_send(key):
                predict(**sent)
                for path in ("/model/registry", "/nowhere", "/road/9", "/logs"):
                    httpx.get(f"{server.url}{path}", timeout=30, **sent)
            url = f"{server.url}/infer/semantic_segmentation"
            for content in (body | {"api_key": key}, {"api_key": [key], "image": 1}, [key]):
                httpx.post(url, json=content, timeout=30)
            httpx.post(url, content=f'{{"api_key": "{key}", "image"', timeout=30)
            httpx.get(f"{server.url}/{key}", timeout=30)
            httpx.get(f"{server.url}/a/b/{key}", timeout=30)
        # A row that no release wrote makes every request of this key crash, with its secret in the exception.
        with closing(sqlite3.connect(home / "atrous.db")) as database, database:
            database.execute("UPDATE keys SET scope = ? WHERE name = 'tests'", (secret,))
        assert {predict(**sent) for sent in ways_to_send(secret)} == {500}
        assert httpx.post(url, json=body | {"api_key": secret}, timeout=30).status_code == 500
        server.end()
    written = "\n".join([*server.out, *server.err])
    written += "".join(path.read_text() for path in home.rglob("*.log"))
    assert "is not a valid Scope" in written, "the crash is logged"
    assert "/road/1" in written, "requests are logged"
    for unwanted in (secret, PICTURE.decode()[:40], base64.b64encode(f":{secret}".encode()).decode()):
        assert unwanted not in written
    # A guess in a path is not known to be one; everywhere else it is.
    assert not [line for line in written.splitlines() if guessed in line and f"/{guessed}" not in line]
    if form == "json":
        assert all(json.loads(line)["level"] for line in server.err if line.startswith("{"))


def test_logs_are_json_if_wished_for(home: Path) -> None:
    with Server(home, ("--auth", "off", "--log-format", "json")) as server:
        reply = httpx.get(f"{server.url}/info", timeout=30)
        server.end()
    lines = [json.loads(line) for line in server.err if line.startswith("{")]
    (access,) = [line for line in lines if line["logger"] == "atrous.server.access"]
    assert (access["method"], access["path"], access["status"]) == ("GET", "/info", 200)
    assert access["request_id"] == reply.headers["x-request-id"]
    assert access["ms"] >= 0


def test_small_replies_do_not_wait_for_the_callers_acknowledgement(server: Server) -> None:
    with httpx.Client() as client:
        times = [client.get(f"{server.url}/healthz").elapsed.total_seconds() for _ in range(20)]
    # Nagle's algorithm and delayed acknowledgements together cost 40 ms.
    assert sorted(times)[10] < 0.03
