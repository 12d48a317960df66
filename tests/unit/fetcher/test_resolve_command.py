"""The command fetcher resolve: its settings, streams and codes, for each kind of upstream."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fetcher import GithubReadmes, HuggingFace, PlainUrls, S3Prefix, read_upstream
from fetcher.cli import cli
from unit.fetcher.conftest import Desk
from unit.fetcher.scripted import Reply
from unit.fetcher.services import COMMIT, Github, Hub

GOOD = b"what upstream sent"
README = Path(__file__).parents[3] / "tools" / "fetcher" / "README.md"


def run(desk: Desk, upstream: str, **variables: str) -> Result:
    params = desk.folder / "params.yaml"
    params.write_text(f"dataset:\n  name: flowers\n{upstream}")
    known = {"FETCH_TRUST": ",".join(desk.trust), **variables}
    return CliRunner().invoke(cli, ["resolve", "--params", str(params), str(desk.sources)], env=known)


def test_success_is_one_json_object(desk, server):
    done = run(desk, f"upstream:\n  kind: urls\n  files:\n    a.txt: ['{server.on('/a', Reply(GOOD))}']\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"files": 1, "bytes": 18, "added": ["a.txt"], "changed": [], "removed": []}
    assert done.stdout.count("\n") == 1


def test_hub_and_github_are_read_from_params(desk, server, other):
    Hub(server).publish({"a.csv": GOOD}, revision=COMMIT)
    upstream = f"upstream:\n  kind: huggingface\n  dataset: them/flowers\n  revision: '{COMMIT}'\n  files: [a.*]\n"
    assert json.loads(run(desk, upstream, HF_ENDPOINT=server.url).stdout)["added"] == ["a.csv"]
    Github(server, other).add("rain", GOOD, fork=True)
    upstream = "upstream:\n  kind: github-readmes\n  organisation: hub-of-clouds\n  forks: true\n  exclude: [x]\n"
    done = run(desk, upstream, GITHUB_API_URL=server.url)
    assert json.loads(done.stdout)["added"] == ["rain_README.md"]
    assert "excluded repository x not found" in done.stderr


@pytest.mark.parametrize(
    ("reply", "code"), [(Reply(status=404), 13), (Reply(b""), 21), (Reply(status=302, headers={"Location": "x:"}), 14)]
)
def test_failure_is_one_line_and_a_code(desk, server, reply, code):
    done = run(desk, f"upstream:\n  kind: urls\n  files:\n    a.txt: ['{server.on('/a', reply)}']\n")
    assert (done.exit_code, done.stdout) == (code, "")
    assert re.fullmatch(r"error: upstream\.files\.a\.txt: a\.txt: .*; fix: .*\n", done.stderr)
    assert not desk.sources.exists()


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ("", "upstream: section not found; fix: add upstream: with kind: urls, huggingface, s3, github-readmes"),
        ("upstream: urls\n", "invalid section upstream: expected a mapping"),
        ("upstream: {files: {a: [b]}}\n", "upstream.kind: not set; fix: use one of: urls, huggingface, "),
        ("upstream: {kind: ftp}\n", "upstream.kind: unknown kind 'ftp'; fix: use one of: urls, "),
        ("upstream: {kind: [urls]}\n", "upstream.kind: unknown kind ['urls']"),
        ("upstream: {kind: urls, files: {}}\n", "upstream.files: no files listed"),
        ("upstream: {kind: urls, files: {a: []}}\n", "upstream.files: no files listed"),
        ("upstream: {kind: urls, files: {a: b}}\n", "upstream.files.a: expected a list, got 'b'"),
        ("upstream: {kind: urls, files: {a: [b]}, token: c}\n", "upstream: unknown key token; fix: use one of: files"),
        ("upstream: {kind: huggingface, files: [a]}\n", "upstream: dataset is missing"),
        ("upstream: {kind: huggingface, dataset: a/b, files: []}\n", "upstream.files: no files listed"),
        ("upstream: {kind: huggingface, dataset: a/../b, files: [a]}\n", "upstream.dataset: invalid name 'a/../b'"),
        ("upstream: {kind: huggingface, dataset: a/b, files: [a], revision: ''}\n", "upstream.revision: empty"),
        (
            "upstream: {kind: huggingface, dataset: a/b, files: [a], revision: 12}\n",
            "expected a string, got 12",
        ),
        ("upstream: {kind: github-readmes, organisation: a/b}\n", "upstream.organisation: invalid name 'a/b'"),
        (
            "upstream: {kind: github-readmes, organisation: a, forks: 1}\n",
            "forks: expected true or false, got 1",
        ),
    ],
)
def test_settings_that_are_not_understood_are_usage(desk, server, upstream, said):
    done = run(desk, upstream, HF_ENDPOINT=server.url, GITHUB_API_URL=server.url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert server.seen == []


def test_params_are_required(desk):
    done = CliRunner().invoke(cli, ["resolve", str(desk.sources)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "missing option '--params'" in done.stderr


def test_settings_of_upstream_leave_fetch_alone(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD))
    (desk.folder / "params.yaml").write_text("fetcher:\n  jobs: 1\nupstream:\n  kind: urls\n")
    assert desk.run("--params", "params.yaml").returncode == 0


def test_examples_of_the_readme_are_understood(tmp_path):
    kinds = []
    for example in re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL):
        (tmp_path / "params.yaml").write_text(example)
        kinds.append(type(read_upstream(tmp_path / "params.yaml")))
    assert kinds == [PlainUrls, HuggingFace, S3Prefix, GithubReadmes]
