"""Forward ports of this machine to the services of a cluster, until interrupted."""

import collections
import contextlib
import dataclasses
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator

from data_registry.stage.errors import NetworkFailed, UsageError

SERVICE = re.compile(r"(?P<namespace>[a-z0-9-]+)/(?P<service>[a-z0-9-]+):(?P<port>\d{1,5})")
LOOPBACK = "127.0.0.1"
INTERVAL = 0.2  # seconds between two checks of kubectl

# The services of OpenCloudHub's cluster, and the ports that .env.minikube and docker-compose.minikube.yml expect.
DEFAULTS = {
    "minio": ("minio-tenant/minio:80", "19000"),
    "pgvector": ("storage/demo-app-db-cluster-rw:5432", "15432"),
    "mlflow": ("mlops/mlflow:80", "15000"),
}

Processes = dict["Forward", subprocess.Popen[str]]


@dataclasses.dataclass(frozen=True)
class Forward:
    """A port of this machine that leads to a service."""

    name: str
    namespace: str
    service: str
    port: str  # of the service
    local: str

    @property
    def address(self) -> str:
        return f"{self.namespace}/{self.service}:{self.port}"

    def command(self, context: str, addresses: str) -> list[str]:
        """Return the command that keeps it open."""
        options = [f"--context={context}", f"--namespace={self.namespace}", f"--address={addresses}"]
        return ["kubectl", "port-forward", *options, f"service/{self.service}", f"{self.local}:{self.port}"]


def read_forwards() -> list[Forward]:
    """Return the forwards that the variables MINIKUBE_* ask for. Raises UsageError for an invalid service or port."""
    forwards = []
    for name, (default, port) in DEFAULTS.items():
        variable = f"MINIKUBE_{name.upper()}"
        service = os.environ.get(f"{variable}_SERVICE") or default
        local = os.environ.get(f"{variable}_PORT") or port
        parts = SERVICE.fullmatch(service)
        if not parts:
            fix = f"use namespace/name:port, such as {default}"
            raise UsageError(f"{variable}_SERVICE", f"invalid service: {service!r:.80}", fix)
        if not re.fullmatch(r"\d{1,5}", local):
            raise UsageError(f"{variable}_PORT", f"invalid port: {local!r:.20}", f"use a number, such as {port}")
        forwards.append(Forward(name, parts["namespace"], parts["service"], parts["port"], local))
    return forwards


@contextlib.contextmanager
def forwarding(context: str, forwards: list[Forward]) -> Iterator[Processes]:
    """Hold the forwards open: on loopback, and on MINIKUBE_FORWARD_IP, an address of this machine for containers.

    Raises NetworkFailed where one does not open.
    """
    addresses = ",".join(filter(None, dict.fromkeys([LOOPBACK, os.environ.get("MINIKUBE_FORWARD_IP", "")])))
    processes: Processes = {}
    try:
        for forward in forwards:
            processes[forward] = subprocess.Popen(
                forward.command(context, addresses), stdout=subprocess.PIPE, text=True
            )
        for forward, process in processes.items():
            output = iter(process.stdout or ())
            if not next(output, ""):
                raise _failure(forward, process)
            # kubectl prints a line for every connection, and would block if nobody read them.
            threading.Thread(target=collections.deque, args=(output, 0), daemon=True).start()
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def watch(processes: Processes) -> None:
    """Never return; raise NetworkFailed as soon as a forward ends by itself, for example because its pod does."""
    while True:
        for forward, process in processes.items():
            if process.poll() is not None:
                raise _failure(forward, process)
        time.sleep(INTERVAL)


def _failure(forward: Forward, process: subprocess.Popen[str]) -> NetworkFailed:
    what = f"kubectl port-forward failed with exit {process.wait()}"
    fix = f"see its error above; MINIKUBE_{forward.name.upper()}_SERVICE sets another service"
    return NetworkFailed(forward.address, what, fix)
