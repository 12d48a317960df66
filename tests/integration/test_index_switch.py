"""Switches: what readers see, what is kept, and what stands in the way."""

import json
import threading
import time

import psycopg
import pytest
from integration.vector_index import fresh, loaded, receipt_of, write_params
from pgloader import rollback, status, switch
from stage.errors import DatabaseRefused, InputMissing, LockHeld, ReleaseRefused, UsageError
from unit.pgloader.synthetic import write_embeddings


@pytest.fixture
def versions(tmp_path, settings):
    """Return a function that loads and switches to the version of this number."""

    def make(number, switched=True, **changes):
        path = write_embeddings(tmp_path / f"{number}.parquet", rows=number, seed=number, **changes)
        loaded(path, settings)
        return switch(receipt_of(path, settings), f"v{number}", settings) if switched else receipt_of(path, settings)

    return make


def rows(index, settings, user="reader"):
    ((count,),) = index.ask("SELECT count(*) FROM {}", settings.relation, user=user)
    return count


def test_a_load_is_seen_from_the_switch_on(index, settings, versions):
    receipt = versions(20, switched=False)
    assert settings.relation not in index.tables(settings.relation)
    changed = switch(receipt, "v20", settings)
    assert (changed.relation, changed.version, changed.before, changed.dropped) == (settings.relation, "v20", "", ())
    assert rows(index, settings) == 20
    versions(30)
    assert rows(index, settings) == 30


def test_the_relation_is_what_the_reader_looks_for(index, settings, versions):
    versions(20)
    query = (
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '"
        + settings.relation
        + "' ORDER BY ordinal_position"
    )
    wanted = [("id", "uuid"), ("content", "text"), ("embedding", "USER-DEFINED"), ("metadata", "jsonb")]
    assert index.ask(query, user="reader") == wanted


def test_rollback_leads_back_step_by_step(index, settings, versions):
    versions(20), versions(30), versions(40)
    assert (rollback(settings).version, rows(index, settings)) == ("v30", 30)
    assert (rollback(settings).version, rows(index, settings)) == ("v20", 20)
    with pytest.raises(ReleaseRefused, match=r"no version before v20; fix: see the loads with pgloader status"):
        rollback(settings)
    assert rows(index, settings) == 20
    told = status(settings)
    assert [(each.version, bool(each.undone_at)) for each in told.history] == [
        ("v40", True),
        ("v30", True),
        ("v20", False),
    ]
    assert (told.version, len(told.loads)) == ("v20", 3)


def test_a_switch_after_a_rollback_is_undone_to_where_it_began(index, settings, versions):
    versions(20), versions(30)
    rollback(settings)
    versions(40)
    assert rollback(settings).version == "v20"


def test_there_is_nothing_to_roll_back_to_before_the_first_switch(index, settings):
    with pytest.raises(ReleaseRefused, match="has never been switched"):
        rollback(settings)


def test_the_same_switch_again_changes_nothing(index, settings, versions):
    versions(20), versions(30)
    with index.connect("reader", autocommit=False) as reader:  # it would stand in the way of a change
        reader.execute(f"SELECT count(*) FROM {settings.relation}")
        assert versions(30).before == "v30"
    assert [each.version for each in status(settings).history] == ["v30", "v20"]
    assert rollback(settings).version == "v20"


def test_keep_former_loads_and_drop_older_ones(index, settings, versions):
    receipts = {number: versions(number) for number in (20, 30, 40)}
    assert [each.dropped for each in receipts.values()] == [(), (), ()]
    receipt = versions(50, switched=False)
    newer = versions(60, switched=False)  # waits for its switch
    assert switch(receipt, "v50", settings).dropped == (receipts[20].table,)
    assert [load.rows for load in status(settings).loads] == [30, 40, 50, 60]
    assert switch(newer, "v60", settings).dropped == (receipts[30].table,)
    rollback(settings)
    assert rows(index, settings) == 50


def test_a_dropped_load_is_no_target_of_a_rollback(index, tmp_path):
    settings = fresh(keep=1)
    for number in (20, 30, 40):
        path = write_embeddings(tmp_path / f"{number}.parquet", rows=number, seed=number)
        loaded(path, settings)
        switch(receipt_of(path, settings), f"v{number}", settings)
    assert rollback(settings).version == "v30"
    with pytest.raises(
        ReleaseRefused, match=r"the load of the version before, v20, was dropped; fix: load and switch to that version"
    ):
        rollback(settings)


def test_an_old_load_that_somebody_reads_is_left_for_the_next_time(index, tmp_path, caplog):
    settings = fresh(keep=1)
    receipts = {}
    for number in (20, 30, 40, 50):
        path = write_embeddings(tmp_path / f"{number}.parquet", rows=number, seed=number)
        receipts[number] = loaded(path, settings)
        if number < 40:
            switch(receipt_of(path, settings), f"v{number}", settings)
    table = receipts[20].table
    with index.connect("reader", autocommit=False) as reader:
        reader.execute(f"SELECT count(*) FROM {table}")
        assert switch(tmp_path / f"40.{settings.relation}.json", "v40", settings).dropped == ()
        assert f"{table} is kept until the next switch" in caplog.text
    assert table in switch(tmp_path / f"50.{settings.relation}.json", "v50", settings).dropped


def test_unreleased_data_is_not_switched_to(index, settings, versions):
    receipt = versions(20, switched=False, version="workspace")
    with pytest.raises(ReleaseRefused, match=r"was made from a working copy, not from a release; fix: set registry"):
        switch(receipt, "v20", settings)
    assert settings.relation not in index.tables(settings.relation)


def test_what_is_not_loaded_here_is_said_so(index, settings, versions):
    receipt = versions(20, switched=False)
    (table,) = index.tables(settings.relation)
    index.ask("DROP TABLE {}", table)
    with pytest.raises(InputMissing, match=rf"{table}: is not loaded; fix: make load"):
        switch(receipt, "v20", settings)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"relation": 7}'])
def test_a_file_that_is_no_receipt_is_refused(settings, tmp_path, content):
    path = tmp_path / "receipt.json"
    path.write_text(content)
    with pytest.raises(UsageError):
        switch(path, "v1", settings)


@pytest.mark.parametrize("version", ["", " ", "a\nb", "x" * 201])
def test_a_version_has_a_name(index, settings, versions, version):
    receipt = versions(20, switched=False)
    with pytest.raises(UsageError, match="invalid version"):
        switch(receipt, version, settings)


def test_a_receipt_of_another_relation_is_refused(index, settings, versions):
    receipt = versions(20, switched=False)
    with pytest.raises(
        UsageError, match=rf"expected relation other, got {settings.relation}; fix: run the stage pgloader again"
    ):
        switch(receipt, "v20", fresh(relation="other"))


def test_a_reader_with_a_long_transaction_holds_up_the_switch_and_not_other_readers(
    index, settings, versions, monkeypatch
):
    monkeypatch.setattr("pgloader.switching.ATTEMPTS", 3)
    versions(20)
    receipt = versions(30, switched=False)
    waits, stop = [], threading.Event()

    def read():
        with index.connect("reader") as other:
            while not stop.is_set():
                started = time.monotonic()
                assert other.execute(f"SELECT count(*) FROM {settings.relation}").fetchone() == (20,)
                waits.append(time.monotonic() - started)

    with index.connect("reader", autocommit=False) as reader:
        reader.execute(f"SELECT count(*) FROM {settings.relation}")
        thread = threading.Thread(target=read)
        thread.start()
        with pytest.raises(LockHeld, match=r"canceling statement due to lock timeout; fix: run it again when"):
            switch(receipt, "v30", settings)
        stop.set()
        thread.join()
        assert reader.execute(f"SELECT count(*) FROM {settings.relation}").fetchone() == (20,)
    assert len(waits) > 10 and max(waits) < 4
    assert switch(receipt, "v30", settings).before == "v20"


def test_one_switch_at_a_time(index, settings, versions, monkeypatch):
    monkeypatch.setattr("pgloader.switching.ATTEMPTS", 2)
    receipt = versions(20, switched=False)
    with index.connect(autocommit=False, application_name="pgloader switch, elsewhere pid 17") as first:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        first.execute(lock, [f"pgloader switch public.{settings.relation}"])
        with pytest.raises(
            LockHeld, match=r"another switch is running: server process \d+ \(pgloader switch, elsewhere"
        ):
            switch(receipt, "v20", settings)
    assert switch(receipt, "v20", settings).version == "v20"


def test_a_load_under_way_holds_no_switch_up(index, settings, versions):
    receipt = versions(20, switched=False)
    with index.connect(autocommit=False) as loader:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        loader.execute(lock, [f"pgloader load public.{settings.relation}"])
        assert switch(receipt, "v20", settings).version == "v20"


def test_a_switch_waits_for_a_reader_that_leaves(index, settings, versions):
    versions(20)
    receipt = versions(30, switched=False)
    with index.connect("reader", autocommit=False) as reader:
        reader.execute(f"SELECT count(*) FROM {settings.relation}")
        timer = threading.Timer(1, reader.commit)
        timer.start()
        assert switch(receipt, "v30", settings).version == "v30"
        timer.join()


def grants(index, relation):
    query = (
        "SELECT DISTINCT grantee, privilege_type FROM information_schema.role_table_grants WHERE table_name = '"
        + relation
        + "' AND grantee <> 'owner' ORDER BY 1, 2"
    )
    return index.ask(query)


def comment(index, relation):
    return index.ask("SELECT obj_description('public." + relation + "'::regclass, 'pg_class')")[0][0]


@pytest.mark.parametrize("dimension", [8, 12])
def test_grants_and_comment_outlive_a_switch(index, settings, versions, dimension):
    versions(20)
    index.ask("COMMENT ON VIEW {} IS 'What it''s for'", settings.relation)
    index.ask("GRANT SELECT ON {} TO {}", settings.relation, "loader")
    before = grants(index, settings.relation)
    assert ("loader", "SELECT") in before and ("reader", "SELECT") in before
    versions(30, dimension=dimension)
    assert grants(index, settings.relation) == before
    assert comment(index, settings.relation) == "What it's for"
    owner = "SELECT viewowner FROM pg_views WHERE viewname = '" + settings.relation + "'"
    assert index.ask(owner) == [("owner",)]
    assert rollback(settings).version == "v20"
    assert grants(index, settings.relation) == before


def test_a_view_built_upon_the_relation_follows_it(index, settings, versions):
    versions(20)
    index.ask("CREATE VIEW {} AS SELECT count(*) FROM {}", f"{settings.relation}_count", settings.relation)
    versions(30)
    assert index.ask("SELECT * FROM {}", f"{settings.relation}_count") == [(30,)]


def test_a_view_built_upon_a_relation_of_another_dimension_is_an_error_that_names_it(index, settings, versions):
    versions(20)
    above = f"{settings.relation}_count"
    index.ask("CREATE VIEW {} AS SELECT count(*) FROM {}", above, settings.relation)
    with pytest.raises(DatabaseRefused, match=rf"{above} depends on it; fix: drop {above}, switch, and create"):
        versions(30, dimension=12)
    assert index.ask("SELECT * FROM {}", above) == [(20,)]
    assert status(settings).version == "v20"


def earlier_table(index, settings, owner="owner"):
    index.ask("CREATE TABLE {} AS SELECT 'old' AS content", settings.relation)
    index.ask("ALTER TABLE {} OWNER TO {}", settings.relation, owner)
    index.ask("GRANT SELECT, INSERT ON {} TO {}", settings.relation, "reader")
    index.ask("COMMENT ON TABLE {} IS 'of the earlier registry'", settings.relation)


@pytest.mark.parametrize("owner", ["owner", "loader"])
def test_an_earlier_registrys_table_is_renamed_and_its_readers_go_on(index, settings, versions, owner):
    earlier_table(index, settings, owner)
    versions(20)
    assert rows(index, settings) == 20
    assert index.ask("SELECT content FROM {}", f"{settings.relation}_aside") == [("old",)]
    assert ("reader", "SELECT") in grants(index, settings.relation)
    assert {privilege for _, privilege in grants(index, settings.relation)} == {"SELECT"}  # a view is only read
    assert comment(index, settings.relation) == "of the earlier registry"


def test_somebody_elses_table_is_an_error_that_says_how_to_give_it(index, settings, versions):
    earlier_table(index, settings, "admin")
    with pytest.raises(
        DatabaseRefused, match=rf"must be owner of table .*; fix: ALTER TABLE public.{settings.relation} OWNER"
    ):
        versions(20)
    assert rows(index, settings) == 1


def test_an_earlier_table_that_others_build_upon_is_an_error_that_names_them(index, settings, versions):
    earlier_table(index, settings)
    index.ask("CREATE VIEW {} AS SELECT content FROM {}", f"{settings.relation}_above", settings.relation)
    with pytest.raises(DatabaseRefused, match=rf"{settings.relation}_above depends on it"):
        versions(20)
    assert rows(index, settings) == 1


def test_somebody_elses_view_is_renamed_too(index, settings, versions):
    index.ask("CREATE VIEW {} AS SELECT 7 AS number", settings.relation)
    index.ask("ALTER VIEW {} OWNER TO owner", settings.relation)
    versions(20)
    assert index.ask("SELECT * FROM {}", f"{settings.relation}_aside") == [(7,)]


def test_readers_see_the_one_or_the_other_whole(index, settings, versions):
    versions(20)
    receipts = {"v20": versions(20, switched=False), "v30": versions(30, switched=False)}
    seen, faults, stop = set(), [], threading.Event()

    def read(prepared):
        with index.connect("reader") as reader:
            while not stop.is_set():
                query = f"SELECT count(*), count(DISTINCT metadata->>'doc_id') FROM {settings.relation}"
                try:
                    seen.add(reader.execute(query, prepare=prepared).fetchone())
                except psycopg.Error as error:
                    faults.append(error)

    threads = [threading.Thread(target=read, args=[prepared]) for prepared in (True, False)]
    for each in threads:
        each.start()
    for number in range(6):
        version = ("v30", "v20")[number % 2]
        switch(receipts[version], version, settings)
    stop.set()
    for each in threads:
        each.join()
    assert not faults
    assert seen == {(20, 2), (30, 3)}


def test_the_commands_say_what_they_did(index, settings, tmp_path, versions):
    receipt = versions(20, switched=False)
    params = write_params(tmp_path / "params.yaml", settings)
    done = index.run("switch", "--params", params, "--version", "1.0.0", receipt)
    assert done.returncode == 0, done.stderr
    (table,) = [name for name in index.tables(settings.relation) if name != settings.relation]
    told = {"relation": settings.relation, "version": "1.0.0", "table": table, "before": "", "dropped": []}
    assert json.loads(done.stdout) == told
    done = index.run("rollback", "--params", params)
    assert done.returncode == 40
    assert "no version before 1.0.0" in done.stderr
    done = index.run("status", "--params", params)
    assert json.loads(done.stdout)["version"] == "1.0.0"
