"""Splits made of shares: seeded ones, in which equal samples never part, and sequential ones."""

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquetizer.splits import assigned, in_order
from samples import digests, encode
from unit.parquetizer.folders import jpeg, made, outputs, refused, rows, samples, write, write_params

COLUMNS: list[dict[str, Any]] = [
    {"name": "text", "type": "string"},
    {"name": "label", "type": "string", "classes": ["joy", "anger"]},
]
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def split(pairs, splits=SHARES, key=("text",), **rest):
    """Make splits of texts; return them by name."""
    write_params(COLUMNS, format="lines", inputs=[{"file": "all"}], splits=splits, key=[*key], **rest)
    write({"raw/all": "".join(f"{text};{label}\n" for text, label in pairs)})
    made("text")
    return {name: rows(name) for name in splits}


def texts(count):
    return [(f"text {number}", "joy") for number in range(count)]


def test_every_text_is_in_one_split_and_in_the_order_of_the_file():
    made_of = split(texts(2000))
    places = {name: [int(text.split()[1]) for text, _ in found] for name, found in made_of.items()}
    assert all(found == sorted(found) for found in places.values())
    assert sorted(place for found in places.values() for place in found) == [*range(2000)]


def test_shares_are_about_as_asked_for():
    sizes = {name: len(found) for name, found in split(texts(20_000)).items()}
    for name, share in SHARES.items():
        assert abs(sizes[name] - 20_000 * share) < 4 * (20_000 * share * (1 - share)) ** 0.5


def test_the_manifest_names_the_row_in_the_file_of_its_split():
    made_of = split(texts(300))
    for name, file, row, source in samples("split", "file", "row", "source"):
        assert (file, source) == (f"processed/{name}/{name}.parquet", "all")
        assert 0 <= row < len(made_of[name])
    assert len(set(samples("file", "row"))) == 300


def test_a_split_is_decided_by_the_seed_and_the_digest_of_the_key():
    """The formula is a promise: another one would move the samples of every data set."""
    batch = pa.record_batch({"text": ["a", "b", "c"]})
    wanted = []
    for digest in digests(encode(batch)):
        drawn = hashlib.sha256((7).to_bytes(8, "big") + digest.tobytes()).digest()
        fraction = int.from_bytes(drawn[:8], "big") / 2**64
        wanted.append(0 if fraction < 0.25 else 1 if fraction < 0.75 else 2)
    assert assigned(batch, {"x": 0.25, "y": 0.5, "z": 0.25}, 7).tolist() == wanted


def test_the_splits_of_some_texts_are_as_they_have_always_been():
    numbers = assigned(pa.record_batch({"text": [str(n) for n in range(40)]}), SHARES, 42)
    assert "".join(map(str, numbers)) == "0000000000000002000201002001000001000220"


def test_equal_keys_never_part():
    pairs = [(f"text {n % 100}", ["joy", "anger"][n % 2 if n < 500 else 0]) for n in range(1000)]
    made_of = split(pairs)
    where: dict[str, str] = {}
    for name, found in made_of.items():
        for text, _ in found:
            assert where.setdefault(text, name) == name
    assert len(where) == 100


def test_without_a_key_whole_samples_are_compared():
    """The same text with another label is another sample, and may be elsewhere."""
    pairs = [(f"text {n}", label) for n in range(200) for label in ("joy", "anger")]
    made_of = split(pairs * 2, key=())
    where = [(pair, name) for name, found in made_of.items() for pair in found]
    assert len(set(where)) == 400
    parted = {text for (text, _), name in where} - {
        text for text, _ in pairs if len({name for (other, _), name in where if other == text}) == 1
    }
    assert parted


def test_more_texts_move_none():
    small, large = split(texts(500)), split([*reversed(texts(1000)), ("between", "anger")])
    for name, found in small.items():
        assert set(found) <= set(large[name])


def test_another_seed_makes_other_splits():
    assert split(texts(100), seed=1) != split(texts(100), seed=2)
    assert split(texts(100), seed=42) == split(texts(100))


def test_a_share_of_everything_is_everything():
    assert split(texts(50), {"all": 1.0}) == {"all": texts(50)}


def test_a_larger_first_share_only_takes_samples_away_from_the_second():
    small, large = split(texts(500), {"a": 0.3, "b": 0.7}), split(texts(500), {"a": 0.6, "b": 0.4})
    assert set(small["a"]) < set(large["a"])


@settings(max_examples=200, deadline=None)
@given(
    weights=st.lists(st.floats(1e-3, 1), min_size=1, max_size=6),
    keys=st.lists(st.text(max_size=3).filter(lambda text: text.isprintable()), max_size=5),
)
def test_any_shares_assign_every_sample(weights, keys):
    shares = {f"s{place}": weight / sum(weights) for place, weight in enumerate(weights)}
    numbers = assigned(pa.record_batch({"k": pa.array(keys, pa.string())}), shares, 0)
    assert len(numbers) == len(keys)
    assert all(0 <= number < len(shares) for number in numbers)


def test_a_split_that_gets_nothing_is_refused():
    """Q8."""
    write_params(COLUMNS, format="lines", inputs=[{"file": "all"}], splits={"train": 0.999, "val": 0.001})
    write({"raw/all": "x;joy\ny;joy\n"})
    what = "split val: got none of the 2 samples; fix: give it a larger share, or use another seed"
    refused("text", 21, what)


BAD_SHARES = [
    ({"train": 0.8, "val": 0.1}, "the shares sum to 0.9; fix: use shares that sum to 1"),
    ({"train": 0.8, "val": 0.3}, "the shares sum to 1.1; fix: use shares that sum to 1"),
    ({"train": 1.5, "val": -0.5}, "invalid share 1.5 of train; fix: use shares above 0 that sum to 1"),
    ({"train": 1.0, "val": 0.0}, "invalid share 0.0 of val; fix: use shares above 0 that sum to 1"),
    ({"train": float("nan")}, "invalid share nan of train; fix: use shares above 0 that sum to 1"),
    ({"../x": 1.0}, "invalid split name '../x'; fix: use lowercase letters, digits, - and _, as in train"),
]


@pytest.mark.parametrize(("shares", "message"), BAD_SHARES)
def test_shares_that_are_no_whole_are_refused(shares, message):
    write_params(COLUMNS, format="lines", inputs=[{"file": "all"}], splits=shares)
    write({"raw/all": "x;joy\n"})
    refused("text", 2, f"params.yaml parquetizer.splits: {message}")


@pytest.mark.parametrize("shares", [{"train": "much"}, {"train": [0.5]}, {"train": True}])
def test_a_share_is_a_number(shares):
    write_params(COLUMNS, format="lines", inputs=[{"file": "all"}], splits=shares)
    write({"raw/all": "x;joy\n"})
    what = f"params.yaml parquetizer.splits.train: expected a number, got {shares['train']!r}; fix: write a number"
    refused("text", 2, what)


@pytest.mark.parametrize(
    ("count", "shares", "sizes"),
    [
        (10, [0.7, 0.2, 0.1], [7, 2, 1]),
        (10, [0.1, 0.2, 0.7], [1, 2, 7]),
        (10, [0.6, 0.3, 0.1], [6, 3, 1]),
        (5, [0.8, 0.2], [4, 1]),
        (7, [0.5, 0.5], [3, 4]),
        (3, [1 / 3, 1 / 3, 1 / 3], [1, 1, 1]),
        (100, [0.29, 0.71], [29, 71]),
        (500, [0.8, 0.2], [400, 100]),
        (20_000, [0.3333333333, 0.3333333333, 0.3333333333], [6666, 6667, 6667]),
    ],
)
def test_sequential_splits_have_exact_sizes_and_lose_nothing(count, shares, sizes):
    """0.7 + 0.2 + 0.1 is less than 1, and 0.29 * 100 less than 29, to a computer."""
    numbers = in_order(count, {f"s{place}": share for place, share in enumerate(shares)}).tolist()
    assert numbers == [place for place, size in enumerate(sizes) for _ in range(size)]


def conversations(count, **rest):
    prompt = "Describe it."
    pinned = {"name": "p", "version": 1, "sha256": hashlib.sha256(prompt.encode()).hexdigest()}
    write_params(prompt=pinned, **rest)
    entries = [{"image": f"{n}.jpg", "caption": f"number {n}"} for n in range(count)]
    write({"raw/captions.json": json.dumps(entries), "prompt.txt": prompt})
    write({f"raw/images/{n}.jpg": jpeg(n % 7, size=(4, 4)) for n in range(count)})
    made("conversations", "--prompt", "prompt.txt")
    return outputs()


def captions(files, split):
    return [each["conversations"][1]["value"] for each in json.loads(files[f"processed/{split}/annotations.json"])]


def test_seeded_splits_of_images_follow_the_key_and_keep_their_order():
    files = conversations(40, splits={"train": 0.6, "test": 0.4}, split="seeded", key=["image"])
    found = {split: [int(text.split()[1]) for text in captions(files, split)] for split in ("train", "test")}
    assert sorted(found["train"] + found["test"]) == [*range(40)]
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert not {n % 7 for n in found["train"]} & {n % 7 for n in found["test"]}  # equal images do not part
    numbers = assigned(
        pa.record_batch({"image": [jpeg(n % 7, size=(4, 4)) for n in range(40)]}), {"train": 0.6, "test": 0.4}, 42
    )
    assert found["train"] == np.flatnonzero(numbers == 0).tolist()


def test_a_sequential_split_that_gets_nothing_is_refused():
    conversations(2, splits={"train": 0.5, "test": 0.5})
    prompt = {"name": "p", "version": 1, "sha256": hashlib.sha256(b"Describe it.").hexdigest()}
    write_params(prompt=prompt, splits={"train": 0.4, "test": 0.6})
    what = "split train: no samples; fix: give it a larger share"
    refused("conversations", 21, what, "--prompt", "prompt.txt")
