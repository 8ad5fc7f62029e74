"""The plain manifests: valid, and in agreement with each other and with the software."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.deploy.manifests import (
    KUBERNETES,
    OLDEST_VERSION,
    SECRET_TEMPLATE,
    choose,
    find_pods,
    list_variables,
    parse_command,
    read_documents,
    read_objects,
    read_size,
)

from atrous.cli.home import choose_places
from atrous.server.routes import ROUTES
from atrous.server.settings import Settings, read_settings
from atrous.worker.keeping import END_S
from atrous.workspace.machine_types import Machine, read_fleet

OBJECTS = read_objects(KUBERNETES / "with-postgresql")
WRITTEN = [*(each for each in OBJECTS if "apiVersion" in each), *read_documents(SECRET_TEMPLATE)]
WORKLOADS = [each for each in OBJECTS if each["kind"] in {"Deployment", "StatefulSet"}]
CONFIG = tomllib.loads((KUBERNETES / "base" / "config.toml").read_text(encoding="utf-8"))


def name_of(each: dict[str, Any]) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


every_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=name_of)


def labels_of(workload: dict[str, Any]) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return container


def selected(selector: dict[str, str]) -> list[dict[str, Any]]:
    return [workload for workload in WORKLOADS if selector.items() <= labels_of(workload).items()]


def find_workload(component: str) -> dict[str, Any]:
    (workload,) = selected({"app.kubernetes.io/component": component})
    return workload


def server() -> dict[str, Any]:
    return find_workload("server")


@pytest.mark.parametrize("each", WRITTEN, ids=name_of)
def test_objects_fit_the_schemas_of_kubernetes(each: dict[str, Any]) -> None:
    kubernetes_validate.validate(each, OLDEST_VERSION, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_renders_every_object() -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES / "with-postgresql")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    rendered = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert len(rendered) == len(OBJECTS)
    assert {each["metadata"].get("namespace", "atrous") for each in rendered} == {"atrous"}


def test_every_file_is_part_of_a_kustomization() -> None:
    for folder in (KUBERNETES / "base", KUBERNETES / "with-postgresql"):
        (kustomization,) = read_documents(folder / "kustomization.yaml")
        files = {path.name for path in folder.iterdir()} - {"kustomization.yaml"}
        generated = {name for each in kustomization.get("configMapGenerator", []) for name in each["files"]}
        assert files == {name for name in kustomization["resources"] if name.endswith(".yaml")} | generated


@every_workload
def test_selectors_match_the_labels_of_their_own_pods_alone(workload: dict[str, Any]) -> None:
    assert selected(workload["spec"]["selector"]["matchLabels"]) == [workload]


def test_services_lead_to_ports_of_one_workload() -> None:
    for service in choose(OBJECTS, "Service"):
        (workload,) = selected(service["spec"]["selector"])
        open_ports = {port["name"] for port in container_of(workload).get("ports", [])}
        assert {port["targetPort"] for port in service["spec"].get("ports", [])} <= open_ports


def test_stateful_sets_have_their_services() -> None:
    services = {each["metadata"]["name"] for each in choose(OBJECTS, "Service")}
    assert {each["spec"]["serviceName"] for each in choose(OBJECTS, "StatefulSet")} <= services


def test_the_ingress_leads_to_the_service() -> None:
    services = {each["metadata"]["name"]: each["spec"].get("ports", []) for each in choose(OBJECTS, "Service")}
    (ingress,) = choose(OBJECTS, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]}
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]


def test_budget_and_autoscaler_mean_the_servers() -> None:
    (budget,), (scaler,) = choose(OBJECTS, "PodDisruptionBudget"), choose(OBJECTS, "HorizontalPodAutoscaler")
    assert selected(budget["spec"]["selector"]["matchLabels"]) == [server()]
    assert scaler["spec"]["scaleTargetRef"]["name"] == server()["metadata"]["name"]
    assert "replicas" not in server()["spec"], "each `kubectl apply` would undo what the autoscaler did"


def test_network_policies_name_pods_and_ports_there_are() -> None:
    for policy in choose(OBJECTS, "NetworkPolicy"):
        called = selected(policy["spec"]["podSelector"].get("matchLabels", {}))
        ports = {port["name"] for workload in called for port in container_of(workload).get("ports", [])}
        for rule in policy["spec"].get("ingress", []):
            assert {each["port"] for each in rule.get("ports", [])} <= ports
            assert all(selected(each["podSelector"]["matchLabels"]) for each in rule.get("from", []))


def test_probes_ask_for_routes_there_are() -> None:
    paths = {route.path for router in ROUTES for route in router.routes}
    container = container_of(server())
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["path"] for probe in probes} <= paths
    assert {probe["port"] for probe in probes} == {"http"}
    assert container["ports"] == [{"name": "http", "containerPort": Settings().port}]


@every_workload
def test_secrets_and_maps_that_are_named_exist(workload: dict[str, Any]) -> None:
    (secret,) = read_documents(SECRET_TEMPLATE)
    maps = {each["metadata"]["name"]: each["data"] for each in choose(OBJECTS, "ConfigMap")}
    for each in container_of(workload)["env"]:
        reference = each.get("valueFrom", {}).get("secretKeyRef")
        if reference:
            assert reference["name"] == secret["metadata"]["name"]
            assert reference["key"] in secret["stringData"]
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        if "configMap" in volume:
            assert volume["configMap"]["name"] in maps


@every_workload
def test_mounts_have_volumes(workload: dict[str, Any]) -> None:
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"] for volume in workload["spec"]["template"]["spec"]["volumes"]} | claims
    assert {mount["name"] for mount in container_of(workload)["volumeMounts"]} == volumes


@every_workload
def test_pods_may_do_no_more_than_they_must(workload: dict[str, Any]) -> None:
    pod, container = workload["spec"]["template"]["spec"], container_of(workload)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()


def test_every_variable_is_one_that_the_software_reads() -> None:
    named = {each["name"] for pod in find_pods(OBJECTS) for each in pod["spec"]["containers"][0].get("env", [])}
    assert {name for name in named if name.startswith("ATROUS_")} <= list_variables()


def test_commands_are_those_of_the_command_line() -> None:
    commands = [container_of(each)["args"] for each in WORKLOADS]
    ours = [words for words in commands if words[0] == "atrous"]
    assert len(ours) == len(WORKLOADS) - 1, "all but PostgreSQL's"
    for words in ours:
        parse_command(words)


def test_the_configuration_file_is_one_that_the_software_takes() -> None:
    settings = read_settings({}, CONFIG, {})
    assert not settings.worker
    assert not settings.deployments
    assert choose_places(CONFIG).blobs_url.startswith("s3://")


def test_deployments_fit_into_the_pods_that_keep_them() -> None:
    limits = container_of(find_workload("deployments"))["resources"]["limits"]
    machine = Machine(int(limits["cpu"]), read_size(limits["memory"]), 0)
    fleet = read_fleet(CONFIG, machine)
    assert fleet.capacity.threads <= machine.threads
    assert fleet.capacity.memory_bytes < machine.memory_bytes
    assert fleet.list_fitting() == list(fleet.types)


def test_deployments_listen_where_servers_reach_them() -> None:
    environment = {each["name"]: each for each in container_of(find_workload("deployments"))["env"]}
    assert environment["ATROUS_DEPLOYMENTS_HOST"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"


def test_the_cache_and_an_upload_fit_on_their_volumes() -> None:
    cache_bytes = choose_places(CONFIG).blob_cache_bytes
    volumes = server()["spec"]["template"]["spec"]["volumes"]
    sizes = {each["name"]: each["emptyDir"]["sizeLimit"] for each in volumes if "emptyDir" in each}
    assert cache_bytes < read_size(sizes["home"])
    assert Settings().max_upload_bytes < read_size(sizes["temporary"])
    total = sum(map(read_size, sizes.values()))
    assert total <= read_size(container_of(server())["resources"]["limits"]["ephemeral-storage"])


def test_a_server_is_given_the_time_it_takes_to_end() -> None:
    settings = read_settings({}, CONFIG, {})
    pause_s = int(container_of(server())["lifecycle"]["preStop"]["exec"]["command"][1])
    longest_s = pause_s + settings.shutdown_delay_s + settings.shutdown_timeout_s + END_S
    assert server()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > longest_s
