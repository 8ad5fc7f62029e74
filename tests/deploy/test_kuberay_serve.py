"""The component that lets the servers of the plain manifests use the Ray cluster beside them."""

from __future__ import annotations

import shlex
from typing import Any

import jsonpatch
import kubernetes_validate
import pytest
import yaml
from tests.deploy.manifests import (
    KUBERAY,
    KUBERNETES,
    OLDEST_VERSION,
    choose,
    list_variables,
    parse_command,
    read_documents,
    read_objects,
    read_size,
)

SERVE = KUBERAY / "serve"
BASE = read_objects(KUBERNETES / "base")
(CLUSTER,) = read_documents(KUBERAY / "raycluster.yaml")
(COMPONENT,) = read_documents(SERVE / "kustomization.yaml")
POLICIES = read_documents(SERVE / "network-policies.yaml")


def find_server(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (patch,) = COMPONENT["patches"]
    (server,) = [each for each in choose(objects, patch["target"]["kind"]) if name_of(each) == patch["target"]["name"]]
    return server


def name_of(each: dict[str, Any]) -> str:
    return each["metadata"]["name"]


def patch_server() -> dict[str, Any]:
    (patch,) = COMPONENT["patches"]
    operations = yaml.safe_load((SERVE / patch["path"]).read_text(encoding="utf-8"))
    return jsonpatch.apply_patch(find_server(BASE), operations)


PATCHED = patch_server()
POD: dict[str, Any] = PATCHED["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]


def read_command() -> list[str]:
    shell, option, line = CONTAINER["args"]
    assert (shell, option) == ("sh", "-c")
    begin, serve = line.split(" && exec ")
    assert begin.startswith('ray start --address="$RAY_ADDRESS" --num-cpus=0 '), "a server takes no work of the cluster"
    return shlex.split(serve)


def read_environment() -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in CONTAINER["env"]}


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


@pytest.mark.parametrize("each", [PATCHED, *POLICIES], ids=name_of)
def test_objects_fit_the_schemas_of_kubernetes(each: dict[str, Any]) -> None:
    kubernetes_validate.validate(each, OLDEST_VERSION, strict=True)


def test_every_file_is_part_of_the_component() -> None:
    (patch,) = COMPONENT["patches"]
    files = {path.name for path in SERVE.iterdir()} - {"kustomization.yaml"}
    assert files == {*COMPONENT["resources"], patch["path"]}


def test_the_server_is_started_by_the_command_line() -> None:
    words = read_command()
    parse_command(words)
    assert option(words, "--engine") == "ray"


def test_replicas_fit_into_the_pods_of_the_cluster_and_all_of_them_are_used() -> None:
    (group,) = CLUSTER["spec"]["workerGroupSpecs"]
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert read_environment()["ATROUS_THREADS"] == limits["cpu"]
    assert int(option(read_command(), "--max-replicas")) == group["maxReplicas"]


def test_the_server_joins_the_cluster_that_is_there_with_the_image_of_its_pods() -> None:
    environment = read_environment()
    head = CLUSTER["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    port = next(port["containerPort"] for port in head["ports"] if port["name"] == "gcs-server")
    assert environment["RAY_ADDRESS"] == f"{name_of(CLUSTER)}-head-svc:{port}", "the name that KubeRay gives"
    assert CONTAINER["image"] == head["image"]
    assert {name for name in environment if name.startswith("ATROUS_")} <= list_variables()


def test_shared_memory_holds_the_objects_and_the_pod_holds_both() -> None:
    (memory,) = [each for each in POD["spec"]["volumes"] if each.get("emptyDir", {}).get("medium") == "Memory"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts[memory["name"]] == "/dev/shm"
    start = CONTAINER["args"][2].partition(" && ")[0]
    objects = int(start.partition("--object-store-memory=")[2])
    assert objects < read_size(memory["emptyDir"]["sizeLimit"])
    assert read_size(memory["emptyDir"]["sizeLimit"]) < read_size(CONTAINER["resources"]["limits"]["memory"]) / 2


def test_servers_and_the_cluster_may_call_each_other() -> None:
    cluster, server = {"ray.io/cluster": name_of(CLUSTER)}, {"app.kubernetes.io/component": "server"}
    allowed = {
        (callee, caller)
        for policy in POLICIES
        for callee in policy["spec"]["podSelector"]["matchLabels"].items()
        for rule in policy["spec"]["ingress"]
        for source in rule["from"]
        for caller in source["podSelector"]["matchLabels"].items()
        if "ports" not in rule
    }
    ((ray,), (http,)) = cluster.items(), server.items()
    assert {(ray, http), (http, ray)} <= allowed
    assert server.items() <= POD["metadata"]["labels"].items()
