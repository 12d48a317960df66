"""docker compose up infra, and what the configuration promises."""

import json
import re
from typing import Any

import pytest
from integration.stack import LASTING, Stack

pytestmark = [pytest.mark.docker, pytest.mark.extended]

CLUSTER = ["-f", "docker-compose.yml", "-f", "docker-compose.minikube.yml"]
PINNED = re.compile(r"[a-z0-9./-]+:(?!latest)[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?")


@pytest.fixture(scope="module")
def services(stack: Stack) -> dict[str, dict[str, Any]]:
    shown = stack.compose("--profile", "*", "config", "--format", "json").stdout
    found: dict[str, dict[str, Any]] = json.loads(shown)["services"]
    assert {*LASTING, "init", "prompts", "infra", "fetcher", "parquetizer", "stats"} <= set(found)
    return found


def test_it_says_where_everything_is_and_what_to_type_next(stack: Stack) -> None:
    for name in ("MINIO_PORT", "MINIO_CONSOLE_PORT", "MLFLOW_PORT"):
        assert f"http://localhost:{stack.environ[name]}" in stack.said
    assert f"localhost:{stack.environ['PGVECTOR_PORT']}" in stack.said
    for command in ("ENV=docker make dataset DS=wine-quality", "ENV=docker make push", "docker compose down"):
        assert command in stack.said
    assert not [secret for secret in stack.secrets if secret in stack.said]


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    """How long both runs take is in the benchmarks: here other tests run beside it."""
    before = [stack.container(service) for service in LASTING]
    stack.up()
    assert [stack.container(service) for service in LASTING] == before


def test_every_service_is_healthy(stack: Stack) -> None:
    shown = stack.compose("ps", "--format", "json").stdout
    assert {each["Service"]: each["Health"] for each in map(json.loads, shown.splitlines())} == dict.fromkeys(
        LASTING, "healthy"
    )


@pytest.mark.parametrize("files", [[], CLUSTER])
def test_configuration_is_clean(stack: Stack, files: list[str]) -> None:
    checked = stack.compose(*files, "config", "-q")
    assert checked.stdout + checked.stderr == ""


def test_for_a_cluster_only_the_tools_are_left(stack: Stack) -> None:
    assert stack.compose(*CLUSTER, "config", "--services").stdout == ""
    tools = stack.compose(*CLUSTER, "--profile", "tools", "config", "--services").stdout.split()
    assert sorted(tools) == ["chunk-embed", "cluster", "fetcher", "parquetizer", "pgloader", "stats"]


def test_for_a_cluster_secrets_come_from_the_environment_alone(stack: Stack) -> None:
    shown = stack.compose(*CLUSTER, "--profile", "tools", "config", "--format", "json", AWS_SECRET_ACCESS_KEY="given")
    variables = json.loads(shown.stdout)["services"]["fetcher"]["environment"]
    assert variables["AWS_SECRET_ACCESS_KEY"] == "given"
    kept = {name: value for name, value in stack.environ.items() if not name.startswith("AWS_")}
    bare = Stack(stack.root, kept, 0, "").compose(*CLUSTER, "--profile", "tools", "config", "--format", "json")
    variables = json.loads(bare.stdout)["services"]["fetcher"]["environment"]
    assert not variables["AWS_SECRET_ACCESS_KEY"] and not variables["AWS_ACCESS_KEY_ID"]
    assert variables["AWS_ENDPOINT_URL"].startswith("https://")


def test_for_a_cluster_the_database_is_the_one_that_is_forwarded(stack: Stack) -> None:
    kept = {name: value for name, value in stack.environ.items() if not name.startswith(("PGVECTOR_", "MINIKUBE_"))}
    bare = Stack(stack.root, kept, 0, "").compose(*CLUSTER, "--profile", "tools", "config", "--format", "json")
    pgloader = json.loads(bare.stdout)["services"]["pgloader"]
    found = {name.removeprefix("PGVECTOR_").lower(): value for name, value in pgloader["environment"].items()}
    expected = {"host": "minikube.host", "port": "15432", "database": "demo_app", "user": "loader", "password": None}
    assert found == expected and pgloader["extra_hosts"] == ["minikube.host=host-gateway"]


def test_published_ports_are_bound_to_loopback(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 4 and {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_nothing_gets_more_rights_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert int(service["mem_limit"]) > 0, name
        assert not service.get("privileged") and not service.get("cap_add") and not service.get("devices"), name
        assert not {"pid", "ipc", "userns_mode"} & set(service), name
        assert service.get("network_mode", "none") == "none", name
    assert "docker.sock" not in json.dumps(services)


def test_what_keeps_running_has_a_healthcheck_a_restart_policy_and_a_volume(
    services: dict[str, dict[str, Any]],
) -> None:
    assert {name for name, service in services.items() if service.get("restart")} == set(LASTING)
    for name in LASTING:
        assert services[name]["healthcheck"]["test"] and services[name]["restart"] == "unless-stopped"
    for name in ("minio", "pgvector"):
        assert [volume["type"] for volume in services[name]["volumes"]] == ["volume"]
    assert services["mlflow"]["read_only"] is True  # it keeps nothing itself


def test_images_are_pinned_or_built_here(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service.get("build") or PINNED.fullmatch(service["image"]), f"{name}: {service['image']}"
        for value in service.get("build", {}).get("args", {}).values():
            assert PINNED.fullmatch(value), f"{name}: {value}"
