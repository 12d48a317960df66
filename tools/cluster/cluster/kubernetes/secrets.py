"""The Secrets that workflows need. Only a person makes them: this knows names, and never a value."""

import dataclasses

from cluster.kubernetes.context import NAMESPACE
from cluster.kubernetes.kubectl import Kubectl

KEYS = "go-template={{range $key, $value := .data}}{{$key}} {{end}}"


@dataclasses.dataclass(frozen=True)
class Secret:
    """A Secret: its name, its keys, and what kubectl makes them from."""

    name: str
    keys: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def command(self) -> str:
        """What a person types to make it."""
        return f"kubectl create secret generic {self.name} --namespace {NAMESPACE} {' '.join(self.sources)}"


SECRETS = (
    Secret("registry-s3", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("--from-env-file=s3.env",)),
    Secret("registry-deploy-key", ("key", "known_hosts"), ("--from-file=key", "--from-file=known_hosts")),
    Secret("registry-database", ("PGVECTOR_PASSWORD",), ("--from-env-file=database.env",)),
)


def missing_secrets(kubectl: Kubectl) -> list[str]:
    """Return what the cluster lacks of the Secrets, a line for each, with the command that makes it."""
    found = []
    for secret in SECRETS:
        # Kubectl prints the keys alone, so that no value comes here.
        there = kubectl.text("get", "secret", secret.name, "--ignore-not-found", f"--output={KEYS}").split()
        if not there:
            found.append(f"secret {secret.name} is missing: {secret.command}")
        elif lacking := [key for key in secret.keys if key not in there]:
            found.append(f"secret {secret.name} lacks {', '.join(lacking)}: delete it, then {secret.command}")
    return found
