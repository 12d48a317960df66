"""Run a WorkflowTemplate with plain docker: its DAG in order, each step as its pod would be.

It knows the fields that our steps have, and refuses any other. It is no Argo: one step at a time, no cluster, and
nothing of deadlines, clean-up and resources.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
AGAIN = re.compile(r'lastRetry\.status == "Error" \|\| asInt\(lastRetry\.exitCode\) in \[([\d, ]+)\]')
TEMPLATE = {"name", "inputs", "outputs", "container", "initContainers", "podSpecPatch", "retryStrategy", "volumes"}
CONTAINER = {"name", "image", "command", "args", "env", "envFrom", "workingDir", "volumeMounts"}
CONTAINER |= {"securityContext", "resources"}
TASK = {"name", "template", "depends", "when", "arguments"}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What a cluster has; ``mounts`` are further folders, by the step that sees them."""

    config_maps: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, Mapping[str, str]]
    network: str
    mounts: Mapping[str, Mapping[Path, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Outcome:
    """How a workflow ended: the phase of each step, the exit codes of its attempts, and what was said."""

    phase: str = "Running"
    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    codes: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    said: str = ""

    @property
    def ran(self) -> list[str]:
        return [name for name, phase in self.steps.items() if phase in {"Succeeded", "Failed"}]


class Workflow:
    """One submission of a template."""

    def __init__(self, template: Mapping[str, Any], cluster: Cluster, folder: Path, **parameters: str) -> None:
        self.spec, self.cluster, self.folder = template["spec"], cluster, folder
        self.templates = {each["name"]: each for each in self.spec["templates"]}
        self.uid, self.outcome = str(uuid.uuid4()), Outcome()
        self.scope = {"workflow.uid": self.uid, "workflow.name": f"{template['metadata']['name']}-{self.uid[:5]}"}
        known = {each["name"]: each for each in self.spec["arguments"]["parameters"]}
        assert set(parameters) <= set(known)
        for name, each in known.items():
            value = parameters.get(name, each["value"])
            assert value in each.get("enum", [value])
            self.scope[f"workflow.parameters.{name}"] = value

    def run(self, alone: bool = True) -> Outcome:
        """Run it to its end; not ``alone``: as if its mutex were not there."""
        self.folder.mkdir(parents=True)
        with contextlib.ExitStack() as held:
            for mutex in self.spec["synchronization"]["mutexes"] if alone else []:
                lock = held.enter_context((self.folder.parent / f"{mutex['name']}.lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            for task in self.templates[self.spec["entrypoint"]]["dag"]["tasks"]:
                self._task(task)
            failed = [name for name, phase in self.outcome.steps.items() if phase == "Failed"]
            self.outcome.phase = "Failed" if failed else "Succeeded"
            self.scope["workflow.status"] = self.outcome.phase
            told = [
                {"templateName": name, "message": f"Error (exit code {self.outcome.codes[name][-1]})"}
                for name in failed
            ]
            self.scope["workflow.failures"] = json.dumps(json.dumps(told))
            assert self.step(self.spec["onExit"], {}) == "Succeeded", self.outcome.said
        return self.outcome

    def _task(self, task: Mapping[str, Any]) -> None:
        assert set(task) <= TASK
        name, steps = task["name"], self.outcome.steps
        for needed in filter(None, task.get("depends", "").split(" && ")):
            needed, _, phase = needed.partition(".")
            if steps[needed] not in ({phase} if phase else {"Succeeded", "Skipped"}):
                steps[name] = "Omitted"
                return
        scope = {
            f"tasks.{step}.outputs.parameters.{key}": value
            for step, values in self.outcome.outputs.items()
            for key, value in values.items()
        }
        if "when" in task and not _holds(self._filled(task["when"], scope)):
            steps[name] = "Skipped"
            return
        given = task.get("arguments", {}).get("parameters", [])
        inputs = {f"inputs.parameters.{each['name']}": self._filled(each["value"], scope) for each in given}
        steps[name] = self.step(task["template"], inputs)

    def step(self, name: str, inputs: Mapping[str, str]) -> str:
        """Run the pod of a template, again where its retryStrategy says so, and return its phase."""
        template = self.templates[name]
        assert set(template) <= TEMPLATE, set(template) - TEMPLATE
        inputs = dict(inputs)
        for each in template["inputs"]["parameters"]:
            if "valueFrom" in each:
                wanted = each["valueFrom"]["configMapKeyRef"]
                inputs[f"inputs.parameters.{each['name']}"] = self.cluster.config_maps[wanted["name"]][
                    self._filled(wanted["key"], inputs)
                ]
        pod = self._filled({key: value for key, value in template.items() if key != "inputs"}, inputs)
        if "podSpecPatch" in pod:
            assert json.loads(pod["podSpecPatch"])["containers"][0]["name"] == "main"
        expression = AGAIN.fullmatch(pod["retryStrategy"]["expression"])
        assert expression
        again = {int(code) for code in expression[1].split(",")}
        for attempt in range(int(pod["retryStrategy"]["limit"]) + 1):
            code = self._attempt(pod, attempt)
            self.outcome.codes.setdefault(name, []).append(code)
            if code not in again:
                break
        return "Failed" if code else "Succeeded"

    def _attempt(self, pod: Mapping[str, Any], attempt: int) -> int:
        folder = self.folder / f"{pod['name']}-{attempt}-{uuid.uuid4().hex[:4]}"
        folder.mkdir()
        for container in [*pod.get("initContainers", []), pod["container"]]:
            if code := self._container(container, pod, folder):
                return code if container is pod["container"] else -1  # as Argo counts an init container's failure
        self.outcome.outputs[pod["name"]] = {
            each["name"]: self._host_path(each["valueFrom"]["path"], pod, folder).read_text()
            for each in pod.get("outputs", {}).get("parameters", [])
        }
        return 0

    def _container(self, container: Mapping[str, Any], pod: Mapping[str, Any], folder: Path) -> int:
        assert set(container) <= CONTAINER, set(container) - CONTAINER
        account, own = self.spec["securityContext"], container["securityContext"]
        assert account["runAsNonRoot"] and not own["allowPrivilegeEscalation"] and own["readOnlyRootFilesystem"]
        assert self.spec["automountServiceAccountToken"] is False
        command = ["docker", "run", "--rm", "--read-only", "--network", self.cluster.network]
        command += ["--user", f"{account['runAsUser']}:{account['runAsGroup']}"]
        command += [word for name in own["capabilities"]["drop"] for word in ("--cap-drop", name)]
        command += ["--security-opt", "no-new-privileges"]
        for mount in container["volumeMounts"]:
            source = self._volume(mount["name"], pod, folder) / mount.get("subPath", "")
            command += ["-v", f"{source}:{mount['mountPath']}{':ro' * mount.get('readOnly', False)}"]
        for source, target in self.cluster.mounts.get(pod["name"], {}).items():
            command += ["-v", f"{source}:{target}"]
        for name, value in self._variables(container):
            command += ["-e", f"{name}={value}"]
        if "workingDir" in container:
            command += ["-w", container["workingDir"]]
        command += ["--entrypoint", *container["command"][:1], container["image"], *container["command"][1:]]
        done = subprocess.run([*command, *container["args"]], capture_output=True, text=True, timeout=600)
        self.outcome.said += (
            f"[{pod['name']} {container.get('name', '')}] {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.returncode

    def _variables(self, container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for each in container.get("envFrom", []):
            (kind, wanted), *_ = each.items()
            where = self.cluster.secrets if kind == "secretRef" else self.cluster.config_maps
            if wanted["name"] not in where and wanted.get("optional"):
                continue
            yield from where[wanted["name"]].items()
        for each in container.get("env", []):
            yield each["name"], each["value"]

    def _volume(self, name: str, pod: Mapping[str, Any], folder: Path) -> Path:
        if name in {each["metadata"]["name"] for each in self.spec["volumeClaimTemplates"]}:
            return _shared(self.folder / f"claim-{name}")
        (volume,) = [each for each in [*pod.get("volumes", []), *self.spec["volumes"]] if each["name"] == name]
        if "secret" in volume:
            place = _shared(folder / name)
            for key, value in self.cluster.secrets[volume["secret"]["secretName"]].items():
                (place / key).write_text(value)
            return place
        assert "emptyDir" in volume
        return _shared(folder / name)

    def _host_path(self, path: str, pod: Mapping[str, Any], folder: Path) -> Path:
        for mount in pod["container"]["volumeMounts"]:
            if path.startswith(f"{mount['mountPath']}/"):
                return self._volume(mount["name"], pod, folder) / path.removeprefix(f"{mount['mountPath']}/")
        raise AssertionError(path)

    def _filled(self, value: Any, scope: Mapping[str, str]) -> Any:
        """Put values where a template names them; one that nobody has given is a KeyError."""
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda found: {**self.scope, **scope}[found[1].strip()], value)
        if isinstance(value, list):
            return [self._filled(each, scope) for each in value]
        if isinstance(value, dict):
            return {key: self._filled(each, scope) for key, each in value.items()}
        return value


def _holds(condition: str) -> bool:
    """Say whether comparisons that && joins hold."""
    for comparison in condition.split(" && "):
        left, how, right = comparison.split(" ")
        assert how in {"==", "!="} and left.startswith("'") == right.startswith("'")
        if (left == right) != (how == "=="):
            return False
    return True


def _shared(folder: Path) -> Path:
    """Return a folder that the pods' user may write, as fsGroup would make it."""
    if not folder.exists():
        folder.mkdir(parents=True)
        os.chmod(folder, 0o777)
    return folder
