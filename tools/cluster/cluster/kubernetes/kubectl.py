"""Run kubectl on one namespace of a cluster: argument lists, never a shell."""

import base64
import binascii
import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_registry.stage.errors import InputMissing, NetworkFailed, SourceRefused, UsageError
from data_registry.stage.foreign import read_json, read_yaml

SECRET = "KUBE_CONFIG"  # noqa: S105  (the name of the variable)
PATIENCE = 30  # seconds for one request
PREFIX = re.compile(r'^(error: |Error from server (\(\w+\): )?)+(error when creating "STDIN": )?')
PASSING = re.compile(
    r"unable to connect|connection (refused|reset)|time(d )?out|no such host|\bEOF\b|TLS handshake|unavailable"
    r"|too many requests|unable to handle the request|internal error|etcd|http2",
    re.IGNORECASE,
)


class Kubectl:
    """kubectl, with a kubeconfig, or with the one that it finds; in its current context, or in the one given."""

    def __init__(self, namespace: str, config: Path | None = None, context: str = "") -> None:
        self.namespace = namespace
        self._context = [f"--context={context}"] if context else []
        self._environ = {name: value for name, value in os.environ.items() if name != SECRET}
        if config:
            self._environ["KUBECONFIG"] = str(config)

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, and return it as the cluster has it."""
        # Without --validate=false kubectl fetches all of the cluster's schemas first, megabytes of them.
        return self._run("create", "--filename=-", "--validate=false", said=json.dumps(manifest))

    def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object what the manifest says, and return it."""
        return self._run("apply", "--filename=-", "--validate=false", said=json.dumps(manifest))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        return self._run("get", kind, name)

    def find(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object, or an empty one where the cluster has none."""
        return self._run("get", kind, name, "--ignore-not-found")

    def _run(self, verb: str, *arguments: str, said: str = "") -> dict[str, Any]:
        answer = self.text(verb, *arguments, "--output=json", said=said) or "{}"
        found: dict[str, Any] = read_json(answer, f"kubectl {verb}", dict, SourceRefused, "update kubectl")
        return found

    def text(self, verb: str, *arguments: str, said: str = "") -> str:
        """Run kubectl, and return what it prints.

        Raises NetworkFailed for what may pass, SourceRefused for what the cluster refuses.
        """
        command = ["kubectl", verb, *arguments, *self._context, f"--namespace={self.namespace}"]
        command.append(f"--request-timeout={PATIENCE}s")
        try:
            done = subprocess.run(
                command, input=said, env=self._environ, capture_output=True, text=True, timeout=2 * PATIENCE
            )
        except FileNotFoundError as error:
            raise InputMissing("kubectl", "is not installed", "install it, and run again") from error
        except subprocess.TimeoutExpired as error:
            raise NetworkFailed("cluster", "did not answer", "see whether it is up, then run again") from error
        if done.returncode == 0:
            return done.stdout
        lines = done.stderr.strip().splitlines() or [f"kubectl ended with exit {done.returncode}"]
        what = PREFIX.sub("", lines[-1])
        if PASSING.search(done.stderr):
            raise NetworkFailed("cluster", what, "see whether it is up, then run again")
        raise SourceRefused(f"kubectl {verb}", what, "see what this account may do: kubectl auth can-i --list")


@contextlib.contextmanager
def cluster(namespace: str, config: str = "") -> Iterator[Kubectl]:
    """Yield kubectl on a namespace. ``config`` is a kubeconfig, plain or in base64, or nothing for kubectl's own.

    It is in a file that only this user can read, as long as it is needed. Raises UsageError where it is none.
    """
    if not config.strip():
        yield Kubectl(namespace)
        return
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        path = Path(folder) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(_kubeconfig(config), encoding="utf-8")
        yield Kubectl(namespace, path)


def _kubeconfig(text: str) -> str:
    """Return a kubeconfig as YAML; the errors say nothing of what is in it."""
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        text = base64.b64decode("".join(text.split()), validate=True).decode()
    with contextlib.suppress(UsageError):
        read_yaml(text, SECRET, {"clusters": object}, UsageError)
        return text
    raise UsageError(SECRET, "is no kubeconfig", "set the secret to one, plain or in base64")
