"""Forward ports of this machine to the services of a cluster, for as long as a person wants them."""

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
BEAT = 0.2  # seconds between two looks whether kubectl is still there

# Where OpenCloudHub's cluster has them, and the ports that .env.minikube and docker-compose.minikube.yml expect.
KNOWN = {
    "minio": ("minio-tenant/minio:80", "19000"),
    "pgvector": ("storage/demo-app-db-cluster-rw:5432", "15432"),
    "mlflow": ("mlops/mlflow:80", "15000"),
}

Running = dict["Forward", subprocess.Popen[str]]


@dataclasses.dataclass(frozen=True)
class Forward:
    """A port of this machine that leads to a service."""

    name: str
    namespace: str
    service: str
    port: str  # of the service
    local: str

    def command(self, context: str, addresses: str) -> list[str]:
        """Return the command that keeps it open."""
        where = [f"--context={context}", f"--namespace={self.namespace}", f"--address={addresses}"]
        return ["kubectl", "port-forward", *where, f"service/{self.service}", f"{self.local}:{self.port}"]


def wanted_forwards() -> list[Forward]:
    """Return the forwards as the variables MINIKUBE_* want them. Raises UsageError where one is no service or port."""
    found = []
    for name, (service, port) in KNOWN.items():
        variable = f"MINIKUBE_{name.upper()}"
        wanted = os.environ.get(f"{variable}_SERVICE") or service
        local = os.environ.get(f"{variable}_PORT") or port
        parts = SERVICE.fullmatch(wanted)
        if not parts:
            raise UsageError(
                f"{variable}_SERVICE", f"{wanted!r:.80} is no service", f"namespace/name:port, as {service}"
            )
        if not re.fullmatch(r"\d{1,5}", local):
            raise UsageError(f"{variable}_PORT", f"{local!r:.20} is no port", f"a number, as {port}")
        found.append(Forward(name, parts["namespace"], parts["service"], parts["port"], local))
    return found


@contextlib.contextmanager
def forwarding(context: str, forwards: list[Forward]) -> Iterator[Running]:
    """Hold the forwards open: on loopback, and on MINIKUBE_FORWARD_IP, where containers find this machine.

    Raises NetworkFailed where one does not open.
    """
    addresses = ",".join(filter(None, dict.fromkeys([LOOPBACK, os.environ.get("MINIKUBE_FORWARD_IP", "")])))
    running: Running = {}
    try:
        for each in forwards:
            running[each] = subprocess.Popen(each.command(context, addresses), stdout=subprocess.PIPE, text=True)
        for each, process in running.items():
            output = iter(process.stdout or ())
            if not next(output, ""):
                raise _ended(each, process)
            # It tells of every connection, and would wait for ever where nobody reads that.
            threading.Thread(target=collections.deque, args=(output, 0), daemon=True).start()
        yield running
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def watch(running: Running) -> None:
    """Return never; raise NetworkFailed as soon as a forward ends by itself, as when its pod does."""
    while True:
        for each, process in running.items():
            if process.poll() is not None:
                raise _ended(each, process)
        time.sleep(BEAT)


def _ended(forward: Forward, process: subprocess.Popen[str]) -> NetworkFailed:
    where = f"{forward.namespace}/{forward.service}:{forward.port}"
    what = f"kubectl port-forward ended with exit {process.wait()}"
    return NetworkFailed(where, what, f"see its line above; MINIKUBE_{forward.name.upper()}_SERVICE names another")
