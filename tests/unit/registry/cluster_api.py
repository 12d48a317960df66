"""As much of a Kubernetes API as kubectl needs for workflows and config maps, on loopback, answering as scripted."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAMESPACE = "/api/v1/namespaces/data-registry"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/data-registry/workflows"
CONFIG_MAPS = "/api/v1/namespaces/data-registry/configmaps"
VERBS = ["create", "get", "list", "patch", "watch"]
DISCOVERY: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.4"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": "configmaps", "singularName": "configmap", "namespaced": True, "kind": "ConfigMap", "verbs": VERBS}
        ],
    },
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": "argoproj.io",
                "versions": [{"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"}],
                "preferredVersion": {"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"},
            }
        ],
    },
    "/apis/argoproj.io/v1alpha1": {
        "kind": "APIResourceList",
        "groupVersion": "argoproj.io/v1alpha1",
        "resources": [
            {"name": "workflows", "singularName": "workflow", "namespaced": True, "kind": "Workflow", "verbs": VERBS}
        ],
    },
}


class ClusterApi:
    """Keeps what is created. ``script`` has, by dataset, the statuses that a workflow shows, the last one for ever; a
    number among them is an HTTP status instead. ``refuse_create`` answers so many of the next creations with a status.
    """

    def __init__(self, script: dict[str, list[Any]] | None = None) -> None:
        self.script = script or {}
        self.created: list[dict[str, Any]] = []
        self.config_maps: dict[str, dict[str, Any]] = {}
        self.refuse_create: list[int] = []
        self.requests: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(*api.get(self.path.partition("?")[0]))

            def do_POST(self) -> None:
                self.answer(*api.post(self.path.partition("?")[0], self.body()))

            def do_PATCH(self) -> None:
                self.answer(*api.patch(self.path.partition("?")[0], self.body()))

            def body(self) -> dict[str, Any]:
                found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                return found

            def answer(self, status: int, document: dict[str, Any]) -> None:
                api.requests.append(f"{self.command} {self.path}")
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        folder, _, name = path.rpartition("/")
        if path in DISCOVERY:
            return 200, DISCOVERY[path]
        if path == NAMESPACE:  # which kubectl asks for where a name is not found
            return _refused(403, "data-registry")
        if folder == CONFIG_MAPS and name in self.config_maps:
            return 200, self.config_maps[name]
        found = [each for each in self.created if each["metadata"]["name"] == name] if folder == WORKFLOWS else []
        if not found:
            return _refused(404, name)
        statuses = self.script.get(_dataset(found[0]), [{"phase": "Succeeded"}])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return _refused(status, name) if isinstance(status, int) else (200, {**found[0], "status": status})

    def post(self, path: str, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refuse_create:
            return _refused(self.refuse_create.pop(0), "new")
        if path == CONFIG_MAPS:
            self.config_maps[document["metadata"]["name"]] = document
        else:
            document["metadata"]["name"] = f"{document['metadata']['generateName']}{len(self.created):05}"
            self.created.append(document)
        return 201, document

    def patch(self, path: str, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = self.config_maps[path.rpartition("/")[2]]
        found["data"] = {**found["data"], **document.get("data", {})}
        return 200, found

    def kubeconfig(self) -> str:
        """Return a kubeconfig that leads here."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}],
                "users": [{"name": "me", "user": {"token": "secret-token"}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "current-context": "here",
            }
        )

    @contextmanager
    def running(self) -> Iterator["ClusterApi"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def make_tree(folder: Path) -> Path:
    """Make a repository of two datasets that have sources, and one that is made from a release of the first."""
    for name in ("apples", "pears", "apples-embeddings"):
        (folder / "data" / name).mkdir(parents=True)
        (folder / "data" / name / "dvc.yaml").write_text("stages: {}\n")
        (folder / "data" / name / "params.yaml").write_text(f"dataset: {{name: {name}}}\n")
    made = "dataset: {name: apples-embeddings}\nregistry: {dataset: apples, version: apples-v1.0.0}\n"
    (folder / "data" / "apples-embeddings" / "params.yaml").write_text(made)
    (folder / "tools").mkdir()
    (folder / "tools" / "run").write_text("a stand-in: nothing is built here\n")
    return folder


def _dataset(workflow: dict[str, Any]) -> str:
    return str(workflow["spec"]["workflowTemplateRef"]["name"]).removeprefix("data-")


def _refused(status: int, name: str) -> tuple[int, dict[str, Any]]:
    reasons = {403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable"}
    what = {403: f"workflows.argoproj.io is forbidden: {name}", 404: f'workflows.argoproj.io "{name}" not found'}.get(
        status, "unavailable"
    )
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": what, "code": status}
    return status, {**told, "reason": reasons[status]}
