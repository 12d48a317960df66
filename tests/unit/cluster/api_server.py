"""A stand-in for a cluster: an API server that keeps objects in memory, for the real kubectl; and a minikube.

It knows names, namespaces and merge patches, and records the requests. Nothing runs in it: tests script the statuses.
"""

import base64
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]

CORE = ("namespaces Namespace", "configmaps ConfigMap", "secrets Secret", "serviceaccounts ServiceAccount")
GROUPS = {
    "v1": (*CORE, "services Service", "pods Pod"),
    "rbac.authorization.k8s.io/v1": ("roles Role", "rolebindings RoleBinding"),
    "networking.k8s.io/v1": ("networkpolicies NetworkPolicy",),
    "argoproj.io/v1alpha1": ("workflows Workflow", "workflowtemplates WorkflowTemplate"),
}
PATH = re.compile(
    r"/(?:api|apis)/(?P<version>v1|[a-z.0-9]+/v\w+)(?:/namespaces/(?P<namespace>[\w-]+))?"
    r"/(?P<kind>[a-z]+)(?:/(?P<name>[\w.-]+))?(?:/(?P<part>portforward|token|log))?"
)
PARTS: dict[str, Object] = {
    "token": {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": {"token": "a-token"}},
    "log": {"line": "a line"},
}
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
MINIKUBE = """\
#!{python}
import sys
from pathlib import Path
images = Path({images!r})
with images.with_suffix(".log").open("a") as log:
    print(*sys.argv[1:], file=log)
if sys.argv[2:] == ["image", "ls"]:
    print(images.read_text(), end="")
elif sys.argv[2:4] == ["image", "load"]:
    with images.open("a") as there:
        print("docker.io/" + sys.argv[4], file=there)
else:
    sys.exit("X Exiting due to MK_USAGE: no such command")
"""


DOCKER = """\
#!{python}
import sys
if sys.argv[1:4] == ["buildx", "imagetools", "inspect"]:
    print('{{"digest": "sha256:' + "0" * 64 + '"}}')
"""


class Cluster:
    """The objects by path, the requests, and the statuses of Workflows.

    ``script`` has, by dataset, the statuses that its Workflow shows, one a request, the last one for ever; a number is
    an HTTP status instead. Each of ``refusals`` is the HTTP status of one creation.
    """

    def __init__(self, has_argo: bool = True) -> None:
        self.objects: dict[str, Object] = {}
        self.seen: list[str] = []
        self.groups = {name: kinds for name, kinds in GROUPS.items() if has_argo or not name.startswith("argoproj")}
        self.script: dict[str, list[Any]] = {}
        self.refusals: list[int] = []
        self.url = ""

    def kinds(self) -> set[str]:
        return {each["kind"] for each in self.objects.values()}

    def named(self, kind: str, name: str) -> Object:
        (document,) = (
            each for each in self.objects.values() if (each["kind"], each["metadata"]["name"]) == (kind, name)
        )
        return document

    def changes(self) -> list[str]:
        """The requests that were no reading."""
        return [each for each in self.seen if not each.startswith("GET ")]

    def put(self, document: Object, plural: str, namespace: str = "data-registry") -> None:
        """Let an object be there."""
        version = document["apiVersion"]
        root = "/api/" if "/" not in version else "/apis/"
        self.objects[f"{root}{version}/namespaces/{namespace}/{plural}/{document['metadata']['name']}"] = document

    @property
    def workflows(self) -> list[Object]:
        """The Workflows, in the order in which they were created."""
        return [each for each in self.objects.values() if each["kind"] == "Workflow"]

    def config(self, current: str = "minikube", names: tuple[str, ...] = ("minikube", "prod")) -> str:
        """Return a kubeconfig whose contexts all lead here."""
        entry = {"server": self.url}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": entry} for name in names],
            "users": [{"name": "person", "user": {"token": "secret-token"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "person"}} for name in names],
            "current-context": current,
        }
        return yaml.safe_dump(document)

    def kubeconfig(self, folder: Path, current: str = "minikube") -> Path:
        """Write the kubeconfig."""
        path = folder / "kubeconfig"
        path.write_text(self.config(current))
        return path

    @contextlib.contextmanager
    def running(self) -> Iterator["Cluster"]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) as server:
            server.daemon_threads = True
            self.url = f"http://127.0.0.1:{server.server_port}"
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            yield self
            server.shutdown()

    def answer(self, method: str, path: str, body: Object, query: dict[str, list[str]]) -> tuple[int, Object]:
        if answer := self._discovery(path):
            return answer
        match = PATH.fullmatch(path)
        if not match:
            return 404, _status(404, "NotFound", f"no such path {path}")
        if match["part"] in PARTS:
            return 200, PARTS[match["part"]]
        if method == "GET" and match["name"]:
            return self._one(path, match)
        if method == "GET":
            items = [each for key, each in sorted(self.objects.items()) if key.startswith(f"{path}/")]
            kinds = dict(each.split() for kinds in self.groups.values() for each in kinds)
            kind = f"{kinds[match['kind']]}List"
            return 200, {"kind": kind, "apiVersion": match["version"], "metadata": {}, "items": items}
        if method == "POST":
            if self.refusals:
                return _refused(self.refusals.pop(0), "workflows.argoproj.io", "new")
            metadata = body["metadata"]
            metadata.setdefault("name", f"{metadata.get('generateName', '')}{len(self.workflows):05}")
            metadata |= {"uid": "0", "resourceVersion": "1"}
            path = f"{path}/{metadata['name']}"
            if path in self.objects:
                return 409, _status(409, "AlreadyExists", f"{path} exists")
        elif path not in self.objects:
            return 404, _status(404, "NotFound", f"{path} not found")
        self.objects[path] = _merged(self.objects[path], body) if method == "PATCH" else body
        return (201 if method == "POST" else 200), self.objects[path]

    def _one(self, path: str, match: re.Match[str]) -> tuple[int, Object]:
        group = match["version"].partition("/")[0]
        kind = match["kind"] if group == "v1" else f"{match['kind']}.{group}"
        if path not in self.objects:
            return _refused(404, kind, match["name"])
        document = self.objects[path]
        if match["kind"] == "workflows":
            statuses = self.script.get(_dataset(document), [{"phase": "Succeeded"}])
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            if isinstance(status, int):
                return _refused(status, kind, match["name"])
            document["status"] = status
        return 200, document

    def _discovery(self, path: str) -> tuple[int, Object] | None:
        if path == "/api":
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            groups = []
            for name in self.groups:
                if "/" in name:
                    version = {"groupVersion": name, "version": name.partition("/")[2]}
                    groups.append({"name": name.partition("/")[0], "versions": [version], "preferredVersion": version})
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        name = path.removeprefix("/apis/").removeprefix("/api/")
        if name not in self.groups or path.startswith("/api/") != (name == "v1"):
            return None
        resources = [
            {
                "name": each.split()[0],
                "kind": each.split()[1],
                "singularName": each.split()[1].lower(),
                "namespaced": each.split()[1] != "Namespace",
                "verbs": ["create", "get", "list", "patch"],
            }
            for each in self.groups[name]
        ]
        return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            parts = urlsplit(self.path)
            cluster.seen.append(f"{self.command} {parts.path}")
            if self.headers.get("Upgrade", "").lower() == "websocket":
                self._tunnel()
                return
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)  # of what kubectl itself knows best, as protobuf, which nobody here reads
            body = {} if not length or "protobuf" in self.headers["Content-Type"] else yaml.safe_load(sent)
            code, document = cluster.answer(self.command, parts.path, body, parse_qs(parts.query))
            content = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any

        def _tunnel(self) -> None:
            """Accept a port-forward, and stay silent until it ends."""
            key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET
            accepted = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", accepted)
            self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"].split(",")[0].strip())
            self.end_headers()
            self.wfile.flush()
            while self.rfile.read(1):
                pass
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    return Handler


def _merged(before: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396), which kubectl's strategic ones are where no list changes."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif not key.startswith("$"):
            merged[key] = _merged(merged.get(key), value)
    return merged


def _dataset(workflow: Object) -> str:
    return str(workflow["spec"]["workflowTemplateRef"]["name"]).removeprefix("data-")


def _refused(code: int, kind: str, name: str) -> tuple[int, Object]:
    reason = {403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable"}[code]
    message = {403: f"{kind} is forbidden: {name}", 404: f'{kind} "{name}" not found'}.get(code, "unavailable")
    return code, _status(code, reason, message)


def _status(code: int, reason: str, message: str) -> Object:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**status, "code": code, "reason": reason, "message": message}


def make_programs(folder: Path, *images: str) -> Path:
    """Make programs: a minikube that has some images and takes more, a docker that has any, a gh that does nothing."""
    folder.mkdir()
    (folder / "images.txt").write_text("".join(f"{image}\n" for image in images))
    texts = {
        "minikube": MINIKUBE.format(python=sys.executable, images=str(folder / "images.txt")),
        "docker": DOCKER.format(python=sys.executable),
        "gh": f"#!{sys.executable}\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
