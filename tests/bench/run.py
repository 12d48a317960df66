"""Speed and peak memory of whole processes against the obvious way, as ratios of runs taken in turn.

Run as ``make bench``, or as ``tools/run tests python tests/bench images text`` to run some. Machines are noisy,
so the table shows medians of paired ratios, and nothing fails here.
"""

import contextlib
import functools
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from bench import catalog, embedding, formats, loading
from bench.measuring import ROOT, RUNS, SLOW_RUNS, Run, compare, measure, tool_command
from data_registry.samples import ManifestWriter
from launcher.containers import engine_answers
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv
from minio import Minio
from registry.build.scratch import copy_working_tree

ROWS, MEGABYTES = 2_000_000, 200
DECIMALS = {
    **{"fixed acidity": 1, "volatile acidity": 2, "citric acid": 2, "residual sugar": 1, "chlorides": 3},
    **{"free sulfur dioxide": 0, "total sulfur dioxide": 0, "density": 5, "pH": 2, "sulphates": 2, "alcohol": 1},
}
PANDAS = "import pandas, sys; pandas.read_csv(sys.argv[1]).to_parquet(sys.argv[2])"
# A server that costs this machine next to nothing, as one elsewhere would: the kernel sends the file by itself.
SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server, open(sys.argv[1], "rb") as file:
    print(server.getsockname()[1], flush=True)
    size = file.seek(0, 2)
    while True:
        line, _ = server.accept()
        with line:
            line.recv(65536)
            line.sendall(f"HTTP/1.1 200 OK\\r\\nContent-Length: {size}\\r\\nConnection: close\\r\\n\\r\\n".encode())
            line.sendfile(file, 0)
"""
# The obvious ways.
TOLIST = """
import gzip, pathlib, numpy as np, pyarrow as pa, pyarrow.parquet as pq
for name in ("train", "t10k"):
    read = lambda kind, skip: np.frombuffer(gzip.open(f"raw/{name}-{kind}-ubyte.gz").read(), np.uint8, offset=skip)
    images = read("images-idx3", 16).reshape(-1, 28, 28)
    pq.write_table(pa.table({"image": images.tolist(), "label": read("labels-idx1", 8)}), f"{name}.parquet")
"""
LISTS = """
import numpy as np, pyarrow.parquet as pq
for name in ("train", "val"):
    images = np.array(pq.read_table(f"out/{name}/{name}.parquet")["image"].to_pylist()) / 255
    print(images.mean(), images.std(), images.min(), images.max(), np.median(images))
"""
STRINGS = """
import pandas as pd
for name in ("train", "val", "test"):
    data = pd.read_parquet(f"out/{name}/{name}.parquet")
    for lengths in (data["text"].str.len(), data["text"].str.split().str.len()):
        print(lengths.mean(), lengths.std(), lengths.min(), lengths.max(), lengths.median())
    print(data["label"].value_counts(), data["text"].duplicated().sum())
"""
URLRETRIEVE = "import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])"
# The same objects, with as many threads and nothing looked at.
DOWNLOAD = """
import concurrent.futures, os, sys, urllib.parse, minio
place, out, *names = sys.argv[1:]
url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
client = minio.Minio(endpoint=url.netloc, access_key=key, secret_key=secret, region="us-east-1", secure=False)
def fetch(name):
    if out != "-":
        client.fget_object(bucket_name=place, object_name=name, file_path=f"{out}/{name}")
        return
    response = client.get_object(bucket_name=place, object_name=name)
    for _ in response.stream(1 << 20):
        pass
    response.release_conn()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(fetch, names))
"""
COPY = """
import concurrent.futures, os, shutil, sys
place, out, *names = sys.argv[1:]
def fetch(name):
    if out != "-":
        os.makedirs(os.path.dirname(f"{out}/{name}"), exist_ok=True)
        shutil.copyfile(f"{place}/{name}", f"{out}/{name}")
        return
    with open(f"{place}/{name}", "rb") as file:
        while file.read(1 << 20):
            pass
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(fetch, names))
"""
MERGE = """
import pandas as pd
columns = ["sample_id", "content_hash", "split", "file", "row"]
before, after = (pd.read_parquet(path, columns=columns) for path in ("old.parquet", "data/big/samples.parquet"))
merged = before.merge(after, on="sample_id", how="outer", indicator=True, suffixes=("_before", ""))
both = merged[merged["_merge"] == "both"]
for found in (
    merged[merged["_merge"] == "right_only"],
    merged[merged["_merge"] == "left_only"],
    both[both["content_hash"] != both["content_hash_before"]],
    both[both["split"] != both["split_before"]],
):
    print(len(found), [each.hex() for each in found["sample_id"].head()])
"""


def wine_like(folder: Path) -> None:
    """Write a CSV of wine-like rows, and the params that describe it."""
    random = np.random.default_rng(0)
    columns = {name: np.round(random.gamma(4, 1, ROWS), digits) for name, digits in DECIMALS.items()}
    pa_csv.write_csv(pa.table({**columns, "quality": random.integers(3, 10, ROWS)}), folder / "big.csv")
    types = [f"    - {{name: {name}, type: float64}}" for name in DECIMALS] + ["    - {name: quality, type: int64}"]
    lines = ["dataset:", "  columns:", *types, "parquetizer:", "  inputs:", "    - {file: big.csv}"]
    (folder / "params.yaml").write_text("\n".join(lines) + "\n")


def bench_table(folder: Path) -> None:
    wine_like(folder)
    tool = [*tool_command("parquetizer"), "table", "--params", "params.yaml", ".", "out.parquet"]
    theirs = functools.partial(measure, sys.executable, "-c", PANDAS, "big.csv", "pandas.parquet", folder=folder)
    compare(
        f"CSV to Parquet, {ROWS:,} rows, no manifest",
        "<= 1.5",
        functools.partial(measure, *tool, folder=folder),
        theirs,
    )
    tool.append("samples.parquet")
    compare("the same with the sample manifest", "<= 4", functools.partial(measure, *tool, folder=folder), theirs)


def bench_fetch(folder: Path) -> None:
    data = np.random.default_rng(0).bytes(MEGABYTES * 1_000_000)
    (folder / "served").write_bytes(data)
    command = [sys.executable, "-c", SERVER, str(folder / "served")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = server.stdout.readline().strip()
        url = f"http://127.0.0.1:{port}/blob"
        pin = f"{hashlib.sha256(data).hexdigest()},{len(data)}"
        (folder / "sources.csv").write_text(f"name,url,sha256,bytes\nblob,{url},{pin}\n")

        def ours() -> Run:
            shutil.rmtree(folder / "raw", ignore_errors=True)
            trust = {"FETCH_TRUST": f"127.0.0.1:{port}", "FETCH_MIRROR": ""}
            return measure(*tool_command("fetcher"), "fetch", "sources.csv", "raw", folder=folder, **trust)

        def theirs() -> Run:
            (folder / "retrieved").unlink(missing_ok=True)
            return measure(sys.executable, "-c", URLRETRIEVE, url, "retrieved", folder=folder)

        compare(f"fetch {MEGABYTES} MB, hashed and fsynced, over urlretrieve", "<= 1", ours, theirs, 2 * RUNS)
        server.terminate()


def bench_nothing_to_do(folder: Path) -> None:
    """Measure what make dataset adds to dvc repro where all stages are current."""
    clone = folder / "clone"
    copy_working_tree(ROOT, clone)
    shutil.copy(clone / "data/wine-quality/sample/sources.csv", clone / "data/wine-quality/sources.csv")
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    ready = {"REGISTRY_ENVS": os.environ.get("REGISTRY_ENVS", str(ROOT / ".venvs")), "DS": "wine-quality"}
    ours = functools.partial(measure, "make", "dataset", folder=clone, **ready)
    dvc = virtualenv(find_tools(ROOT)["registry"], ROOT) / "bin" / "dvc"
    compare(
        "make dataset, nothing to do, over dvc repro",
        "+0.5 s",
        ours,
        functools.partial(measure, dvc, "repro", folder=clone / "data/wine-quality"),
    )


def bench_start(folder: Path) -> None:
    """Measure how long a tool takes to say its help, over a bare Python."""
    for name in find_tools(ROOT):
        ours = functools.partial(measure, ROOT / "tools/run", name, "--help", folder=folder)
        compare(f"start {name}", "< 1 s", ours, functools.partial(measure, sys.executable, "-c", "", folder=folder))


def dataset_params(name: str, folder: Path) -> None:
    """Copy what a dataset says of itself, and an empty list of sources, into a folder."""
    shutil.copy(ROOT / "data" / name / "params.yaml", folder)
    (folder / "sources.csv").write_text("name,url,sha256,bytes\n")


def real_images(folder: Path) -> bool:
    """Fetch the real raw files, and say whether they could be had."""
    if not os.environ.get("FETCH_MIRROR"):
        return False
    sources = ROOT / "data/fashion-mnist/sources.csv"
    fetched = subprocess.run(
        [*tool_command("fetcher"), "fetch", "-q", "--tries", "1", sources, folder / "raw"], capture_output=True
    )
    return fetched.returncode == 0


def drawn_images(raw: Path) -> None:
    """Write as many images of noise, half of it black."""
    raw.mkdir()
    random = np.random.default_rng(0)
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        shade = random.integers(0, 256, (count, 28, 28), np.uint8)
        images = np.where(random.random((count, 28, 28)) < 0.5, 0, shade).astype(np.uint8)
        labels = random.integers(0, 10, count, np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = np.array([0x0800 + array.ndim, *array.shape], ">u4").tobytes()
            with gzip.open(raw / f"{name}-{kind}-ubyte.gz", "wb", 1) as file:
                file.write(head + array.tobytes())


def bench_images(folder: Path) -> None:
    """Measure Fashion-MNIST, or as many drawn images where FETCH_MIRROR does not have it, from IDX and back."""
    dataset_params("fashion-mnist", folder)
    if not real_images(folder):
        drawn_images(folder / "raw")
    made = functools.partial(
        measure, *tool_command("parquetizer"), "idx", "--params", "params.yaml", "raw", "out", "s.parquet"
    )
    tolist = functools.partial(measure, sys.executable, "-c", TOLIST, folder=folder)
    compare("70,000 images, IDX to Parquet and manifest", "<= 0.2", lambda: made(folder=folder), tolist, SLOW_RUNS)
    options = ["--params", "params.yaml", "--sources", "sources.csv", "out", "s.parquet", "metadata.json"]
    summarised = functools.partial(measure, *tool_command("stats"), "images", *options, folder=folder)
    lists = functools.partial(measure, sys.executable, "-c", LISTS, folder=folder)
    compare("their statistics, over NumPy lists", "<= 0.1", summarised, lists, SLOW_RUNS)


def bench_text(folder: Path) -> None:
    """Measure the statistics of 500 000 texts."""
    dataset_params("emotion", folder)
    (folder / "raw").mkdir()
    random = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(5_000)])
    labels = ["sadness", "joy", "love", "anger", "fear", "surprise"]
    for name, count in (("train", 480_000), ("val", 10_000), ("test", 10_000)):
        sizes, chosen = random.integers(5, 35, count), random.integers(0, 6, count)
        lines = [
            f"{' '.join(words[random.integers(0, 5_000, size)])};{labels[label]}\n"
            for size, label in zip(sizes, chosen, strict=True)
        ]
        (folder / "raw" / f"{name}.txt").write_text("".join(lines))
    measure(*tool_command("parquetizer"), "text", "--params", "params.yaml", "raw", "out", "s.parquet", folder=folder)
    options = ["--params", "params.yaml", "--sources", "sources.csv", "out", "s.parquet", "metadata.json"]
    compare(
        "statistics of 500,000 texts, over pandas",
        "<= 0.5",
        functools.partial(measure, *tool_command("stats"), "text", *options, folder=folder),
        functools.partial(measure, sys.executable, "-c", STRINGS, folder=folder),
    )


def bench_many_files(folder: Path) -> None:
    """Measure a cold pull of 500 images, over that of the same images in one Parquet file and in one tar."""
    clone = folder / "clone"
    copy_working_tree(ROOT, clone)
    for name in ("files", "parquet", "tar"):
        (clone / "data" / name / "processed").mkdir(parents=True)  # which git ignores
    images = clone / "data" / "files" / "processed" / "images"
    images.mkdir()
    random = np.random.default_rng(0)
    for number in range(500):
        (images / f"{number:06d}.jpg").write_bytes(random.bytes(80_000))
    content = [path.read_bytes() for path in sorted(images.iterdir())]
    pq.write_table(
        pa.table({"image": content}), clone / "data" / "parquet" / "processed" / "images.parquet", compression="none"
    )
    with tarfile.open(clone / "data" / "tar" / "processed" / "images.tar", "w") as tar:
        tar.add(images, "images")
    outs = {"files": "processed/images", "parquet": "processed/images.parquet", "tar": "processed/images.tar"}
    for name, out in outs.items():
        text = f'stages: {{make: {{cmd: "true", outs: [{out}]}}}}\n'
        (clone / "data" / name / "dvc.yaml").write_text(text)
    ready = {"REGISTRY_ENVS": os.environ.get("REGISTRY_ENVS", str(ROOT / ".venvs")), "DVC_REMOTE": "local"}
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in ([*git, "init", "-q"], [*git, "add", "-A"], [*git, "commit", "-q", "-m", "bench"]):
        subprocess.run(command, cwd=clone, check=True)
    for name in outs:
        for verb in ("commit", "push"):
            dvc = virtualenv(find_tools(ROOT)["registry"], ROOT) / "bin" / "dvc"
            command = [str(dvc), "commit", "-q", "-f", f"data/{name}/dvc.yaml"]
            command = command if verb == "commit" else ["tools/run", "registry", "push", name]
            subprocess.run(command, cwd=clone, check=True, env={**os.environ, **ready}, stdout=subprocess.DEVNULL)

    def pulled(name: str) -> Run:
        shutil.rmtree(clone / ".dvc" / "cache")
        path = clone / "data" / name / outs[name]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return measure("make", "pull", folder=clone, DS=name, **ready)

    for other in ("parquet", "tar"):
        compare(
            f"cold pull of 500 images, over one {other}",
            "",
            functools.partial(pulled, "files"),
            functools.partial(pulled, other),
        )


BIG = (100, 150, 200, 250, 300)  # MB of the files of a release


@contextlib.contextmanager
def big_release(folder: Path) -> Iterator[tuple[str, dict[str, str], list[str], list[str]]]:
    """Make a release of a gigabyte, on the stack's MinIO or, without an engine, in a folder.

    Yield what it lies on, the variables for it, the names of its objects, and the command that just reads them.
    """
    clone, random = folder / "clone", np.random.default_rng(0)
    data = clone / "data" / "big"
    data.mkdir(parents=True)
    (clone / ".dvc").mkdir()
    known = {"REGISTRY_ROOT": str(clone), "DVC_REMOTE": "here"}
    outs, names, hashes = [], [], {}
    with contextlib.ExitStack() as until:
        client = until.enter_context(minio(known)) if engine_answers() else None
        place = "bench" if client else str(folder / "remote")
        url, endpoint = (f"s3://{place}", known["AWS_ENDPOINT_URL"]) if client else (place, "")
        (clone / ".dvc" / "config").write_text(f"['remote \"here\"']\n    url = {url}\n    endpointurl = {endpoint}\n")
        for number, size in enumerate(BIG):
            body = random.bytes(size * 1_000_000)
            md5 = hashlib.md5(body).hexdigest()
            names.append(f"files/md5/{md5[:2]}/{md5[2:]}")
            if number:  # the first is as samples.parquet, the one file whose SHA-256 no metadata.json has
                hashes[f"{number}.bin"] = {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
            outs.append({"path": f"{number}.bin", "hash": "md5", "md5": md5, "size": len(body)})
            if client:
                stream = io.BytesIO(body)
                client.put_object(place, names[-1], stream, len(body), part_size=1 << 30)
            else:
                (Path(place) / names[-1]).parent.mkdir(parents=True)
                (Path(place) / names[-1]).write_bytes(body)
        metadata = json.dumps({"logical_hash": "0" * 64, "files": hashes})
        files = {"metadata.json": metadata, "params.yaml": "", "dvc.yaml": "stages: {make: {}}"}
        files["dvc.lock"] = json.dumps({"stages": {"make": {"outs": outs}}})
        for name, text in files.items():
            (data / name).write_text(text)
        digest = hashlib.sha256(metadata.encode()).hexdigest()
        message = f"big 1.0.0\n\nlogical-hash: {'0' * 64}\nmetadata-sha256: {digest}\n"
        git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for command in (
            ["init", "-q"],
            ["add", "-A"],
            ["commit", "-q", "-m", "x"],
            ["tag", "big-v1.0.0", "-m", message],
        ):
            subprocess.run([*git, *command], cwd=clone, check=True)
        program = DOWNLOAD if client else COPY
        yield "MinIO" if client else "a folder", known, names, [sys.executable, "-c", program, place]


@contextlib.contextmanager
def minio(known: dict[str, str]) -> Iterator[Minio]:
    """Run the stack's MinIO on a port of its own, and add to the variables how it is reached."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with socket.create_server(("127.0.0.1", 0)) as free:
        console = str(free.getsockname()[1])
    key, secret = "bench", "loopback-only"
    known |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    environ = {**os.environ, **known, "MINIO_PORT": port, "MINIO_CONSOLE_PORT": console}
    environ["COMPOSE_PROJECT_NAME"] = f"data-registry-bench-{os.getpid()}"
    compose = ["docker", "compose", "--progress", "quiet"]
    try:
        subprocess.run([*compose, "up", "--wait", "minio"], cwd=ROOT, env=environ, check=True)
        client = Minio(
            endpoint=f"127.0.0.1:{port}", access_key=key, secret_key=secret, region="us-east-1", secure=False
        )
        client.make_bucket(bucket_name="bench")
        yield client
    finally:
        subprocess.run([*compose, "down", "-v", "-t", "1"], cwd=ROOT, env=environ, check=True)


def bench_get(folder: Path) -> None:
    """Measure a get of a gigabyte, every byte hashed and flushed to disk, over a bare download of the same objects."""
    with big_release(folder) as (place, known, names, command):

        def ours() -> Run:
            shutil.rmtree(folder / "got", ignore_errors=True)
            return measure(*tool_command("registry"), "get", "big", "1.0.0", "got", folder=folder, **known)

        def theirs() -> Run:
            shutil.rmtree(folder / "downloaded", ignore_errors=True)
            return measure(*command, "downloaded", *names, folder=folder, **known)

        other = "minio's download" if place == "MinIO" else "copies"
        compare(f"get {sum(BIG)} MB from {place}, over {other}", "<= 1.2", ours, theirs)


def bench_verify(folder: Path) -> None:
    """Measure a verify of a gigabyte over just reading the same objects."""
    with big_release(folder) as (place, known, names, command):
        ours = functools.partial(measure, *tool_command("registry"), "verify", "big", folder=folder, **known)
        theirs = functools.partial(measure, *command, "-", *names, folder=folder, **known)
        compare(f"verify {sum(BIG)} MB on {place}, over reading them", "<= 1.2", ours, theirs)


SAMPLES = 1_000_000


def bench_diff(folder: Path) -> None:
    """Measure the diff of a million samples, of which each hundredth is added, removed, changed or moved."""
    data = folder / "data" / "big"
    data.mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("['remote \"here\"']\n    url = ../store\n")
    random = np.random.default_rng(0)
    keys, values, moved = np.arange(SAMPLES), random.integers(0, 1 << 40, SAMPLES), random.random(SAMPLES) < 0.1
    write_samples(folder / "old.parquet", keys, values, moved)
    kept = random.random(SAMPLES) >= 0.01
    values[random.random(SAMPLES) < 0.01] += 1
    moved ^= random.random(SAMPLES) < 0.01
    new = np.arange(SAMPLES, SAMPLES + SAMPLES // 100)
    write_samples(
        data / "samples.parquet",
        np.concatenate([keys[kept], new]),
        np.concatenate([values[kept], new]),
        np.concatenate([moved[kept], np.zeros(len(new), bool)]),
    )
    body = (folder / "old.parquet").read_bytes()
    md5 = hashlib.md5(body).hexdigest()
    (folder / "store/files/md5" / md5[:2]).mkdir(parents=True)
    (folder / "store/files/md5" / md5[:2] / md5[2:]).write_bytes(body)
    outs = [{"path": "samples.parquet", "md5": md5, "size": len(body)}]
    texts = {"metadata.json": '{"logical_hash": ""}', "dvc.yaml": "stages: {}"}
    for name, text in {**texts, "dvc.lock": json.dumps({"stages": {"make": {"outs": outs}}})}.items():
        (data / name).write_text(text)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    named = [f"data/big/{name}" for name in ("metadata.json", "dvc.yaml", "dvc.lock")] + [".dvc/config"]
    for command in (["init", "-q"], ["add", *named], ["commit", "-q", "-m", "x"], ["tag", "big-v1.0.0", "-m", "x"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    known = {"REGISTRY_ROOT": str(folder), "DVC_REMOTE": "here"}
    compare(
        f"diff of {SAMPLES:,} samples, over a pandas merge",
        "<= 0.5",
        functools.partial(measure, *tool_command("registry"), "diff", "big", "1.0.0", folder=folder, **known),
        functools.partial(measure, sys.executable, "-c", MERGE, folder=folder),
    )


Numbers = np.ndarray[tuple[int], np.dtype[np.generic]]


def write_samples(path: Path, keys: Numbers, values: Numbers, in_test: Numbers) -> None:
    """Write the manifest of samples in two splits."""
    schema = pa.schema([("key", pa.int64()), ("value", pa.int64())])
    with ManifestWriter(path, schema, ["key"]) as manifest:
        for split, chosen in (("train", ~in_test.astype(bool)), ("test", in_test.astype(bool))):
            table = pa.table([pa.array(keys[chosen]), pa.array(values[chosen])], schema=schema)
            for batch in table.to_batches(1 << 16):
                manifest.add(batch, split=split, file=f"processed/{split}.parquet", source="a.csv")
        manifest.finish({"processed/train.parquet": "0" * 64})


def bench_stack(folder: Path) -> None:
    """Tell how long the Compose stack takes to come up from nothing, its images built, and again."""
    if not engine_answers():
        print("docker compose up infra: no Docker engine answers")
        return
    from integration.stack import stack_of

    with stack_of(ROOT) as stack:
        for name, seconds, bound in (("from nothing", stack.seconds, "< 60 s"), ("again", stack.up(), "< 10 s")):
            print(f"{f'docker compose up infra, {name}':<52}{seconds:8.2f} s{'':19}  {bound}", flush=True)


BENCHES: tuple[Callable[[Path], None], ...] = (
    *(bench_table, bench_images, bench_text, bench_fetch, bench_many_files),
    *(bench_get, bench_verify, bench_diff, bench_nothing_to_do, bench_start, bench_stack),
    *(*formats.BENCHES, *embedding.BENCHES, *loading.BENCHES, *catalog.BENCHES),
)


def main() -> None:
    print(f"{'':<52}{'ours':>10}{'other':>10}{'ratio':>9}  {'bound':<8}{'peaks: ours, other':>18}{'cores':>7}")
    chosen = sys.argv[1:]
    for bench in BENCHES:
        if chosen and bench.__name__.removeprefix("bench_") not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder))
