"""Readers during switches: none of 10 000 queries comes back empty, partial, mixed or with an error (L6)."""

import collections
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from integration.vector_index import fresh, loaded, receipt_of, running_index
from pgloader import status, switch
from unit.pgloader.synthetic import columns, write_embeddings

pytestmark = pytest.mark.extended

# A process that asks as langchain-postgres does, by vector and by words, and counts; until its stdin closes.
READER = """
import collections, json, select, sys, psycopg
asked = json.loads(sys.stdin.readline())
relation, vector, prepared, renew = asked["relation"], asked["vector"], asked["prepared"], asked["renew"]
by_vector = (
    f'SELECT "id", "content", "embedding", "metadata", cosine_distance("embedding", %s::vector) AS distance '
    f'FROM "public"."{relation}" ORDER BY "embedding" <=> %s::vector LIMIT 4'
)
by_words = (
    f'SELECT "id", "content", "metadata" FROM "public"."{relation}" '
    "WHERE to_tsvector('pg_catalog.english', content) @@ plainto_tsquery('pg_catalog.english', %s) LIMIT 4"
)
whole = f'SELECT count(*), min(metadata->>\\'data_version\\'), max(metadata->>\\'data_version\\') FROM "{relation}"'
seen, faults, done, connection = collections.Counter(), [], 0, None
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    if not connection or (renew and done % renew == 0):
        if connection:
            connection.close()
        connection = psycopg.connect(**asked["address"], autocommit=True)
    try:
        if done % 3 == 0:
            rows = connection.execute(by_vector, [vector, vector], prepare=prepared).fetchall()
            versions = {row[3]["data_version"] for row in rows}
        elif done % 3 == 1:
            rows = connection.execute(by_words, ["setup"], prepare=prepared).fetchall()
            rows = rows or connection.execute(by_words, ["row1"], prepare=prepared).fetchall()
            versions, rows = {row[2]["data_version"] for row in rows}, rows * 4
        else:
            (count, low, high), = connection.execute(whole, prepare=prepared).fetchall()
            versions, rows = {low, high}, [0] * 4 if count == asked["rows"][low] else [0]
        if len(rows) < 4 or len(versions) != 1:
            faults.append(f"{len(rows)} rows of {versions}")
        seen.update(versions)
    except psycopg.Error as error:
        faults.append(repr(error))
    done += 1
print(json.dumps({"done": done, "seen": seen, "faults": faults[:5], "count": len(faults)}))
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    with running_index(tmp_path_factory.mktemp("clone")) as found:
        yield found


def version_of(number):
    return f"opencloudhub-readmes-v{number}.0.0"


def read_while_switching(index, folder: Path, switches: int, queries: int) -> collections.Counter[str]:
    """Load and switch to one version after another while four processes read; the last but one is dropped each time."""
    settings = fresh(keep=1)
    paths = [
        write_embeddings(folder / f"{number}.parquet", 60 + number, seed=number, version=version_of(number))
        for number in range(switches + 1)
    ]
    loaded(paths[0], settings)
    switch(receipt_of(paths[0], settings), "v0", settings)
    address = {
        "host": index.environ["PGVECTOR_HOST"],
        "port": index.environ["PGVECTOR_PORT"],
        "dbname": "vectors",
        "user": "reader",
        "password": index.passwords["reader"],
    }
    asked = {
        "relation": settings.relation,
        "vector": json.dumps(columns(1)["embedding"][0].as_py()),
        "rows": {version_of(number): 60 + number for number in range(switches + 1)},
        "address": address,
    }
    readers = []
    for prepared, renew in ((True, 0), (False, 0), (None, 40), (True, 7)):
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", READER], stdin=pipe, stdout=pipe, text=True)
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps({**asked, "prepared": prepared, "renew": renew}) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        readers.append(process)
    started = time.monotonic()
    for number, path in enumerate(paths[1:], 1):
        loaded(path, settings)
        time.sleep(max(0.0, started + number * queries / switches / 700 - time.monotonic()))
        switch(receipt_of(path, settings), f"v{number}", settings)
    told = [json.loads(process.communicate("stop\n")[0]) for process in readers]
    assert [each["count"] for each in told] == [0] * 4, [each["faults"] for each in told]
    assert len(status(settings).loads) == 2
    seen = sum((collections.Counter(each["seen"]) for each in told), collections.Counter())
    print(f"{sum(each['done'] for each in told)} queries during {switches} switches: none empty, partial or failing")
    assert sum(each["done"] for each in told) >= queries
    return seen


def test_readers_never_notice_a_switch(index, tmp_path):
    seen = read_while_switching(index, tmp_path, switches=4, queries=200)
    assert set(seen) == {version_of(number) for number in range(5)}


@pytest.mark.slow
def test_10000_queries_during_20_switches(index, tmp_path):
    seen = read_while_switching(index, tmp_path, switches=20, queries=10_000)
    assert len(seen) >= 18
