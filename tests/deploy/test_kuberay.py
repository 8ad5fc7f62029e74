"""The manifests for KubeRay: in agreement with the plain ones, the image and the command line."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import Any

import kubernetes_validate
import pytest
from tests.deploy.manifests import (
    DEPLOY,
    KUBERAY,
    KUBERNETES,
    OLDEST_VERSION,
    ROOT,
    SECRET_TEMPLATE,
    choose,
    find_pods,
    list_variables,
    parse_command,
    read_documents,
    read_objects,
)

from atrous.cli.home import choose_places

OBJECTS = read_objects(KUBERAY)
(CLUSTER,) = choose(OBJECTS, "RayCluster")
(POLICY,) = choose(OBJECTS, "NetworkPolicy")
PODS = list(find_pods(CLUSTER))
JOBS = {path.name: job for path in sorted(KUBERAY.glob("rayjob-*.yaml")) for job in read_documents(path)}
CONFIG = tomllib.loads((KUBERNETES / "base" / "config.toml").read_text(encoding="utf-8"))

every_job = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
every_pod = pytest.mark.parametrize("pod", PODS, ids=[pod["spec"]["containers"][0]["name"] for pod in PODS])


def environment_of(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in pod["spec"]["containers"][0]["env"]}


def test_every_file_is_in_the_kustomization_or_a_job() -> None:
    (kustomization,) = read_documents(KUBERAY / "kustomization.yaml")
    files = {path.name for path in KUBERAY.iterdir() if path.is_file()}
    assert files == {*kustomization["resources"], *JOBS, "kustomization.yaml"}


@every_pod
def test_pods_fit_the_schemas_of_kubernetes(pod: dict[str, Any]) -> None:
    whole = {"apiVersion": "v1", "kind": "Pod"} | pod
    kubernetes_validate.validate(whole, OLDEST_VERSION, strict=True)


def test_the_policy_fits_the_schemas_of_kubernetes() -> None:
    kubernetes_validate.validate(POLICY, OLDEST_VERSION, strict=True)


def test_the_cluster_has_a_head_that_works_on_nothing_and_workers_from_none_on() -> None:
    spec = CLUSTER["spec"]
    assert CLUSTER["apiVersion"] == "ray.io/v1"
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in spec["workerGroupSpecs"]:
        assert 0 == group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert spec["enableInTreeAutoscaling"]


@every_pod
def test_pods_may_do_no_more_than_they_must(pod: dict[str, Any]) -> None:
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["resources"]["limits"] == container["resources"]["requests"], "Ray counts with the limits"


@every_pod
def test_pods_see_the_same_store_as_the_servers(pod: dict[str, Any]) -> None:
    environment, places = environment_of(pod), choose_places(CONFIG)
    assert environment["ATROUS_BLOBS_URL"]["value"] == places.blobs_url
    assert environment["ATROUS_BLOB_CACHE_BYTES"]["value"] == str(places.blob_cache_bytes)
    (secret,) = read_documents(SECRET_TEMPLATE)
    for each in environment.values():
        if "valueFrom" in each:
            assert each["valueFrom"]["secretKeyRef"]["key"] in secret["stringData"]
    assert {name for name in environment if name.startswith("ATROUS_")} <= list_variables()
    assert pod["metadata"]["labels"]["app.kubernetes.io/part-of"] == "atrous", "PostgreSQL lets these in"


def test_only_the_cluster_itself_and_the_operator_reach_its_ports() -> None:
    label = {"ray.io/cluster": CLUSTER["metadata"]["name"]}
    assert POLICY["spec"]["podSelector"]["matchLabels"] == label
    among, operator = POLICY["spec"]["ingress"]
    assert among == {"from": [{"podSelector": {"matchLabels": label}}]}
    dashboard = next(port for port in PODS[0]["spec"]["containers"][0]["ports"] if port["name"] == "dashboard")
    assert operator["ports"] == [{"port": dashboard["containerPort"]}]


def test_the_image_is_built_with_the_release_of_ray_that_the_cluster_names() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"ray[default]=={CLUSTER['spec']['rayVersion']}" in dockerfile
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least = re.search(r"\bray\[[\w,]+\]>=([\d.]+)", " ".join(project["optional-dependencies"]["ray"]))
    assert least
    assert read_release(CLUSTER["spec"]["rayVersion"]) >= read_release(least[1])


def read_release(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


@every_job
def test_jobs_run_on_the_cluster(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": CLUSTER["metadata"]["name"]}
    assert job["spec"]["submissionMode"] == "HTTPMode", "another mode needs a pod that the network policy does not know"
    assert job["metadata"]["namespace"] == "atrous"


@every_job
def test_jobs_are_commands_of_the_command_line(job: dict[str, Any]) -> None:
    words = shlex.split(job["spec"]["entrypoint"])
    parse_command(words)
    assert words[words.index("--engine") + 1] == "ray"
