"""The prompts of the datasets and MLflow's, in a real SQLite file."""

import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from data_registry.clone import repository
from data_registry.stage.errors import (
    CorruptFile,
    DatabaseRefused,
    InputMissing,
    NetworkFailed,
    SourceRefused,
    TagExists,
    UsageError,
    VerificationFailed,
)
from registry.cli import cli
from registry.services.prompts import Registered, find_prompts, pin_prompt, register, with_hash
from registry.services.tracking import connected, tracking_uri

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1

TEXTS = ("Say {what} it is.", "Zeile 1\r\nZeile 2 äöü\n", "The third.")
PARAMS = """\
parquetizer:
  prompt: # the text of the human turn
    name: say
    version: 2 # as in MLflow
    sha256: {digest} # of the file
  other: {{sha256: 0}}
"""


@pytest.fixture
def uri(empty: bytes, tmp_path: Path) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    write(root, "apples", "say", *TEXTS)
    write(root, "pears", "ask", "Ask.")
    (root / "tools").mkdir()
    (root / "tools" / "run").touch()
    return root


def write(root: Path, dataset: str, name: str, *texts: str) -> Path:
    folder = root / "data" / dataset / "prompts" / name
    folder.mkdir(parents=True)
    for version, text in enumerate(texts, 1):
        (folder / f"{version}.txt").write_bytes(text.encode())
    return folder


def versions(uri: str, name: str) -> dict[int, Any]:
    with connected(uri) as client:
        return {each.version: each.template for each in client.search_prompt_versions(name)}


def add(uri: str, name: str, *texts: Any) -> None:
    with connected(uri) as client:
        for text in texts:
            client.register_prompt(name, text)


def registered_names(uri: str) -> list[str]:
    with connected(uri) as client:
        return [each.name for each in client.search_prompts()]


def waits_for_a_lock(pid: int) -> bool:
    return f"-> FLOCK  ADVISORY  WRITE {pid} " in Path("/proc/locks").read_text()


def test_registers_every_version_with_its_bytes_and_then_nothing(root: Path, uri: str) -> None:
    assert register(root, uri) == [Registered("say", 3, 3), Registered("ask", 1, 1)]
    assert versions(uri, "say") == dict(enumerate(TEXTS, 1))
    assert register(root, uri) == [Registered("say", 3, 0), Registered("ask", 1, 0)]
    assert len(versions(uri, "say")) == 3 and len(versions(uri, "ask")) == 1


def test_registers_what_is_missing_after_a_run_that_was_killed(root: Path, uri: str) -> None:
    add(uri, "say", TEXTS[0])
    assert register(root, uri)[0] == Registered("say", 3, 2)
    assert versions(uri, "say") == dict(enumerate(TEXTS, 1))


def test_another_text_is_left_alone_the_rest_registered_and_pinning_it_ends_the_conflict(
    root: Path, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    add(uri, "ask", "Asked before.")
    add(uri, "say", TEXTS[0], "Said before.")
    write(root, "plums", "tell", "Tell.")
    with pytest.raises(TagExists) as refused:
        register(root, uri)
    assert str(refused.value) == (
        f"prompts:/ask/1: {uri} has another text than data/pears/prompts/ask/1.txt; no version of this prompt was "
        "registered; fix: make prompts PIN=ask/1 copies that text; add yours as a new version"
    )
    assert f"error: prompts:/say/2: {uri} has another text than data/apples/prompts/say/2.txt" in caplog.text
    assert versions(uri, "say") == {1: TEXTS[0], 2: "Said before."}
    assert versions(uri, "tell") == {1: "Tell."}
    for wanted in ("ask/1", "say/2"):
        pin_prompt(root, uri, wanted)
    assert register(root, uri) == [Registered("say", 3, 1), Registered("ask", 1, 0), Registered("tell", 1, 0)]
    assert versions(uri, "say") == {1: TEXTS[0], 2: "Said before.", 3: TEXTS[2]}


def test_a_changed_file_is_another_text(root: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register(root, uri)
    file = root / "data/apples/prompts/say/3.txt"
    file.write_text(TEXTS[2] + "\n")
    monkeypatch.setenv("ENV", "docker")
    with pytest.raises(TagExists, match="ENV=docker make prompts PIN=say/3 copies that text"):
        register(root, uri)
    file.write_text(TEXTS[2])
    assert register(root, uri)[0].new == 0


def test_versions_that_mlflow_has_beyond_the_files_are_told_of(
    root: Path, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    add(uri, "say", *TEXTS, "The fourth.")
    caplog.set_level("INFO")
    register(root, uri)
    assert "say: MLflow also has version 4; make prompts PIN=say/4 copies it" in caplog.text


def test_a_number_that_mlflow_has_given_and_deleted_is_not_filled_by_others(root: Path, uri: str) -> None:
    add(uri, "say", *TEXTS)
    with connected(uri) as client:
        client.delete_prompt_version("say", "2")
    with pytest.raises(TagExists) as refused:
        register(root, uri)
    assert str(refused.value) == (
        f"prompts:/say/2: deleted in {uri}, which never reuses a number; no version of this prompt was registered; "
        "fix: delete the whole prompt there, then run again"
    )
    assert sorted(versions(uri, "say")) == [1, 3]


def test_another_number_than_asked_for_ends_the_prompt_and_never_grows_again(root: Path, uri: str) -> None:
    """The last version deleted, or taken in the same moment by a run elsewhere: nobody can see that beforehand."""
    add(uri, "say", TEXTS[0], "deleted")
    with connected(uri) as client:
        client.delete_prompt_version("say", "2")
    with pytest.raises(VerificationFailed) as failed:
        register(root, uri)
    assert str(failed.value) == (
        f"data/apples/prompts/say/2.txt: expected version 2 in {uri}, got 3: another run changed it; "
        "fix: make prompts PIN=say/3 to keep it, or delete the whole prompt and run again"
    )
    for _ in range(2):
        with pytest.raises(TagExists):
            register(root, uri)
        assert sorted(versions(uri, "say")) == [1, 3]


def test_runs_at_the_same_time_wait_for_each_other(root: Path, uri: str) -> None:
    code = (
        "import sys, pathlib, registry.services.prompts as p; print(p.register(pathlib.Path(sys.argv[1]), sys.argv[2]))"
    )
    folder = repository() / "tools"
    environ = {**os.environ, "PYTHONPATH": f"{folder / 'client'}:{folder / 'registry'}"}
    command = [sys.executable, "-c", code, str(root), uri]
    descriptor = os.open(root / "data", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    runs = [subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE) for _ in range(2)]
    while not all(run.poll() is not None or waits_for_a_lock(run.pid) for run in runs):
        time.sleep(0.05)
    assert [run.poll() for run in runs] == [None, None] and not registered_names(uri)
    os.close(descriptor)
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum("name='say', versions=3, new=3" in each for each in said) == 1
    assert versions(uri, "say") == dict(enumerate(TEXTS, 1))


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("5.txt", "x", UsageError, "data/apples/prompts/say: 4.txt not found, but 5.txt; fix: write it, or {pin}"),
        ("04.txt", "x", UsageError, "{folder}/04.txt: invalid name: expected a version; fix: name it 1.txt, 2.txt…"),
        ("4.txt", "\udcff", CorruptFile, "{folder}/4.txt: not UTF-8 at byte 0; fix: save it as UTF-8"),
        ("4.txt", "", CorruptFile, "{folder}/4.txt: empty file; fix: write the prompt"),
    ],
)
def test_files_that_are_no_versions_are_refused_before_mlflow_is_asked(
    root: Path, file: str, text: str, error: type[Exception], message: str
) -> None:
    folder = "data/apples/prompts/say"
    (root / folder / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(error) as refused:
        register(root, "http://localhost:1")
    assert str(refused.value) == message.format(folder=folder, pin="make prompts PIN=say/4")


def test_a_name_belongs_to_one_dataset(root: Path) -> None:
    write(root, "plums", "say", "x")
    with pytest.raises(UsageError) as refused:
        find_prompts(root)
    assert str(refused.value) == (
        "data/plums/prompts/say: duplicate name, also of data/apples/prompts/say; fix: rename one"
    )


# Pinning


def test_pin_writes_the_text_and_its_hash(root: Path, uri: str) -> None:
    add(uri, "say", "one", "two\r\nä")
    params = root / "data/apples/params.yaml"
    params.write_text(PARAMS.format(digest="0" * 64))
    file = root / "data/apples/prompts/say/2.txt"
    assert pin_prompt(root, uri, "say/2") == [file, params]
    assert file.read_bytes() == "two\r\nä".encode()
    assert params.read_text() == PARAMS.format(digest=hashlib.sha256(file.read_bytes()).hexdigest())
    assert pin_prompt(root, uri, "say/2") == [file]
    assert pin_prompt(root, uri, "say/1") == [root / "data/apples/prompts/say/1.txt"]  # params.yaml names version 2


def test_hash_is_set_in_other_layouts_and_left_alone_elsewhere() -> None:
    flow = "parquetizer: {prompt: {sha256: 'old', version: 3, name: say}} # ä\n"
    assert with_hash(flow, "say", 3, "new") == "parquetizer: {prompt: {sha256: new, version: 3, name: say}} # ä\n"
    for other in ("", "a: 1\n", "parquetizer: {prompt: {name: say, version: 3}}\n", "parquetizer: {prompt: 3}\n"):
        assert with_hash(other, "say", 3, "new") == other
    assert with_hash(flow, "tell", 3, "new") == flow


def test_pin_names_a_version_that_mlflow_lacks(root: Path, uri: str) -> None:
    before = (root / "data/apples/prompts/say/2.txt").read_bytes()
    with pytest.raises(InputMissing) as missing:
        pin_prompt(root, uri, "say/2")
    assert str(missing.value) == f"prompts:/say/2: version not found in {uri}; fix: make prompts"
    add(uri, "say", "one")
    with pytest.raises(InputMissing) as missing:
        pin_prompt(root, uri, "say/2")
    assert str(missing.value) == f"prompts:/say/2: version not found in {uri}; fix: use one of: 1"
    assert (root / "data/apples/prompts/say/2.txt").read_bytes() == before


@pytest.mark.parametrize("wanted", ["say", "say/", "say/0", "say/x", "say/01", "/1", "../say/1", "say/1\n"])
def test_pin_wants_a_name_and_a_version(root: Path, wanted: str) -> None:
    with pytest.raises(UsageError) as refused:
        pin_prompt(root, "http://localhost:1", wanted)
    assert refused.value.fix == "PIN=radiology-vlm-prompt/3"


@pytest.mark.parametrize("name", ["tell", "..", "."])
def test_pin_wants_a_dataset_that_has_the_prompt(root: Path, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        pin_prompt(root, "http://localhost:1", f"{name}/1")
    assert str(refused.value) == (
        f"PIN: 0 datasets have prompt {name!r}; fix: create one folder data/<dataset>/prompts/{name}"
    )


def test_pin_takes_texts_alone(root: Path, uri: str) -> None:
    add(uri, "say", [{"role": "user", "content": "Hello"}])
    with pytest.raises(SourceRefused) as refused:
        pin_prompt(root, uri, "say/1")
    assert str(refused.value) == "prompts:/say/1: unsupported: a chat of several messages; fix: register it as one text"
    with pytest.raises(TagExists):
        register(root, uri)


# Where MLflow is


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def server(status: int, body: bytes = b"") -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything alike, and the requests that it got."""
    got: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", got
        finally:
            listening.shutdown()


def test_no_server_is_said_at_once_and_without_the_password(root: Path) -> None:
    address = f"localhost:{free_port()}"
    started = time.monotonic()
    with pytest.raises(NetworkFailed) as failed:
        register(root, f"http://user:secret@{address}")
    assert time.monotonic() - started < 5
    assert str(failed.value) == (
        f"http://{address}: no answer from MLflow (ConnectionError); "
        "fix: docker compose up infra, or correct MLFLOW_TRACKING_URI, then run again"
    )


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_once(root: Path, status: int) -> None:
    with server(status) as (address, got), pytest.raises(NetworkFailed):
        register(root, address)
    assert len(got) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_is_named(root: Path, status: int) -> None:
    with server(status, b"not for you") as (address, _), pytest.raises(SourceRefused) as refused:
        register(root, address)
    assert str(refused.value).startswith(f"{address}: MLflow refused: API request to endpoint")
    assert "not for you" in str(refused.value)


def test_a_file_that_is_no_database_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    uri = f"sqlite:///{tmp_path / 'text.db'}"
    with pytest.raises(DatabaseRefused) as refused:
        register(root, uri)
    assert str(refused.value) == (
        f"{uri}: invalid MLflow database: (sqlite3.DatabaseError) file is not a database; "
        "fix: move the file away, then run again"
    )


@pytest.mark.parametrize("uri", ["databricks", "file:/tmp/mlruns", "http://", "sqlite:///", "postgresql://localhost/x"])
def test_other_addresses_are_refused(root: Path, uri: str) -> None:
    with pytest.raises(UsageError) as refused:
        register(root, uri)
    assert str(refused.value) == (
        f"MLFLOW_TRACKING_URI: unsupported URI {uri!r}; fix: use http://…, https://… or sqlite:///…"
    )


def test_without_an_address_the_file_of_the_clone_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(root) == f"sqlite:///{root}/.local/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert tracking_uri(root) == "http://mlflow:5000"


# The command


def test_command_prints_a_line_each_and_ends_with_the_code(
    root: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    ran = CliRunner().invoke(cli, ["prompts", "-q"])
    assert ran.exit_code == 0 and ran.stdout == (
        f"say: 3 of 3 versions in {uri}, 3 registered\nask: 1 of 1 versions in {uri}, 1 registered\n"
    )
    (root / "data/pears/prompts/ask/1.txt").write_text("Changed.")
    ran = CliRunner().invoke(cli, ["prompts", "-q"])
    assert ran.exit_code == 43 and ran.stderr.startswith("error: prompts:/ask/1: ") and not ran.stdout
    ran = CliRunner().invoke(cli, ["prompts"], env={"PIN": "ask/1"})
    assert ran.exit_code == 0 and ran.stdout == "data/pears/prompts/ask/1.txt: written\n"
    ran = CliRunner().invoke(cli, ["prompts"], env={"MLFLOW_TRACKING_URI": f"http://localhost:{free_port()}"})
    assert ran.exit_code == 12


# The prompts of this repository


def test_our_prompts_end_where_their_text_ends() -> None:
    texts = {prompt.name: prompt.texts for prompt in find_prompts(repository())}
    assert len(texts["radiology-vlm-prompt"]) == 3
    for text in (text for each in texts.values() for text in each):
        assert text == text.strip() and "\r" not in text and len(text.splitlines()) < 20
    assert "<image>" not in "".join(texts["radiology-vlm-prompt"])  # the parquetizer writes that token, once


def test_our_rag_prompt_is_a_template_of_two_variables() -> None:
    """Consumers load it as a LangChain template, whose variables stand in single braces."""
    (prompt,) = (each for each in find_prompts(repository()) if each.name == "readme-rag-prompt")
    for text in prompt.texts:
        assert text.format(context="C", question="Q").count("{") == 0
        assert text.count("{context}") == text.count("{question}") == 1
