"""Run kubectl on the namespace of the registry: argument lists, never a shell."""

import base64
import binascii
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_registry.stage.errors import InputMissing, NetworkFailed, SourceRefused, UsageError
from data_registry.stage.foreign import read_json, read_yaml

NAMESPACE = "data-registry"
MINIKUBE = "minikube"  # the context of minikube's default cluster
SECRET = "KUBE_CONFIG"  # noqa: S105  (the name of the variable)
TIMEOUT = 30  # seconds for one request
PREFIX = re.compile(r'^(error: |Error from server (\(\w+\): )?)+(error when creating "STDIN": )?')
TRANSIENT = re.compile(
    r"unable to connect|connection (refused|reset)|time(d )?out|no such host|\bEOF\b|TLS handshake|unavailable"
    r"|too many requests|unable to handle the request|internal error|etcd|http2",
    re.IGNORECASE,
)


class Kubectl:
    """kubectl, with the given kubeconfig or its own; in the given context or the current one."""

    def __init__(self, config: Path | None = None, context: str = "") -> None:
        self._context = [f"--context={context}"] if context else []
        self._environ = {name: value for name, value in os.environ.items() if name != SECRET}
        if config:
            self._environ["KUBECONFIG"] = str(config)

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, and return it as the cluster stores it."""
        # Without --validate=false kubectl fetches all of the cluster's schemas first, megabytes of them.
        return self._run("create", "--filename=-", "--validate=false", stdin=json.dumps(manifest))

    def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a manifest, and return the object."""
        return self._run("apply", "--filename=-", "--validate=false", stdin=json.dumps(manifest))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        return self._run("get", kind, name)

    def find(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object, or an empty one where the cluster has none."""
        return self._run("get", kind, name, "--ignore-not-found")

    def _run(self, verb: str, *arguments: str, stdin: str = "") -> dict[str, Any]:
        text = self.text(verb, *arguments, "--output=json", stdin=stdin) or "{}"
        document: dict[str, Any] = read_json(text, f"kubectl {verb}", dict, SourceRefused, "update kubectl")
        return document

    def text(self, verb: str, *arguments: str, stdin: str = "") -> str:
        """Run kubectl, and return its output.

        Raises NetworkFailed for a failure that may pass, SourceRefused for a refusal of the cluster.
        """
        command = ["kubectl", verb, *arguments, *self._context, f"--namespace={NAMESPACE}"]
        command.append(f"--request-timeout={TIMEOUT}s")
        try:
            done = subprocess.run(
                command, input=stdin, env=self._environ, capture_output=True, text=True, timeout=2 * TIMEOUT
            )
        except FileNotFoundError as error:
            raise _not_installed() from error
        except subprocess.TimeoutExpired as error:
            raise NetworkFailed("cluster", "no answer", "check that it is up, then run again") from error
        if done.returncode == 0:
            return done.stdout
        lines = done.stderr.strip().splitlines() or [f"kubectl failed with exit {done.returncode}"]
        what = PREFIX.sub("", lines[-1])
        if TRANSIENT.search(done.stderr):
            raise NetworkFailed("cluster", what, "check that it is up, then run again")
        raise SourceRefused(f"kubectl {verb}", what, "check the rights of this account: kubectl auth can-i --list")


@contextlib.contextmanager
def cluster(config: str = "") -> Iterator[Kubectl]:
    """Yield kubectl. ``config`` is a kubeconfig, plain or in base64, or nothing for kubectl's own.

    It is kept in a file that only this user can read, and removed at the end. Raises UsageError for an invalid one.
    """
    if not config.strip():
        yield Kubectl()
        return
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        path = Path(folder) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(_kubeconfig(config), encoding="utf-8")
        yield Kubectl(path)


def _kubeconfig(text: str) -> str:
    """Return a kubeconfig as YAML; no error shows any of it."""
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        text = base64.b64decode("".join(text.split()), validate=True).decode()
    with contextlib.suppress(UsageError):
        read_yaml(text, SECRET, {"clusters": object}, UsageError)
        return text
    raise UsageError(SECRET, "invalid kubeconfig", "set the secret to a kubeconfig, plain or in base64")


def chosen_context() -> str:
    """Return KUBE_CONTEXT, or minikube if that is kubectl's current context: no other cluster is used by accident.

    Raises UsageError for any other current context, InputMissing where kubectl is not installed.
    """
    if shutil.which("kubectl") is None:
        raise _not_installed()
    if context := os.environ.get("KUBE_CONTEXT"):
        return context
    command = ["kubectl", "config", "current-context"]
    current = subprocess.run(command, text=True, capture_output=True).stdout.strip()
    if current != MINIKUBE:
        what = f"expected the context {MINIKUBE}, got {current}" if current else "no current context"
        fix = f"kubectl config use-context {MINIKUBE}, or set KUBE_CONTEXT={current or 'NAME'} to use another cluster"
        raise UsageError("kubectl", what, fix)
    return current


def _not_installed() -> InputMissing:
    return InputMissing("kubectl", "not installed", "install it, and run again")
