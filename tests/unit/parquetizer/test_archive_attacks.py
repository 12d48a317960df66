"""Hostile archives are refused with exit 14 or 23, before anything of them is used, in bounded memory."""

import gzip
import io
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from parquetizer.raw import compression
from unit.parquetizer.archives import tar_of, zip_of
from unit.parquetizer.tables import parquetize

CSV = b"a,b\nx,1\n"
LONG = CSV + b"y,2\n" * 200
MANY = 1_000_000


def read(data, members="**/*.csv", **settings):
    Path("out.csv").unlink(missing_ok=True)
    outcome = parquetize({"d": data}, inputs=[{"file": "d", "members": members}], **settings)
    assert outcome.code == 0 or not Path("out.csv").exists()
    return outcome


def refused(data, code, what, members="**/*.csv"):
    outcome = read(data, members)
    assert (outcome.code, what in outcome.error) == (code, True), outcome.error


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/../../x.csv", "/etc/x.csv", "..\\x.csv", "C:\\x.csv", "C:/x.csv", "a\n.csv", "x" * 5000]
)
def test_a_name_that_leaves_a_folder_is_refused_whether_it_matches_or_not(name):
    for data in (zip_of({name: CSV, "a.csv": CSV}), tar_of({name: CSV, "a.csv": CSV})):
        refused(data, 14, "invalid name of a member", "a.csv")
        refused(gzip.compress(data) if data[:2] != b"PK" else data, 14, "invalid name of a member", "a.csv")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind):
    link = tarfile.TarInfo()
    link.type, link.linkname = kind, "/etc/passwd"
    refused(tar_of({"x.csv": link}), 14, "raw/d/x.csv: is not a regular file")
    assert read(tar_of({"x.csv": CSV, "a link": link})).code == 0  # which is not read


def test_a_link_in_a_zip_is_refused():
    info = zipfile.ZipInfo("x.csv")
    info.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(file.getvalue(), 14, "is not a regular file")


@pytest.mark.parametrize("pack", [zip_of, tar_of, lambda members: gzip.compress(tar_of(members))])
def test_a_duplicate_member_is_refused(pack):
    refused(pack({"a.csv": CSV, "./a.csv": CSV}), 14, "duplicate member 'a.csv'")


def test_an_encrypted_member_is_refused():
    data = bytearray(zip_of({"x.csv": CSV}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    refused(bytes(data), 14, "is encrypted")


def test_an_unsupported_method_is_refused():
    data = bytearray(zip_of({"x.csv": CSV}))
    data[8] = data[data.index(b"PK\1\2") + 10] = 9
    refused(bytes(data), 14, "unsupported compression method 9")


def test_a_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(compression, "FREE", 1 << 18)
    content = b"a,b\n" + b"x,1\n" * 200_000
    for data in (zip_of({"x.csv": content}), gzip.compress(tar_of({"x.csv": content}))):
        refused(data, 14, "raise max-ratio")
        assert read(data, max_ratio=10_000).code == 0
    parts = {f"{number}.csv": b"a,b\n" + b"x,1\n" * 60_000 for number in range(5)}
    refused(zip_of(parts), 14, "raise max-ratio")  # each alone is small


def test_members_that_overlap_are_refused():
    """As in https://www.bamsoftware.com/hacks/zipbomb: one kernel, and many entries of the directory that have it."""
    data = zip_of({"a.csv": CSV, "b.csv": CSV})
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    refused(data[: second + 42] + struct.pack("<L", 0) + data[second + 46 :], 14, "members overlap")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_damaged_zip_is_refused(method):
    data = zip_of({"x.csv": LONG, "y.csv": CSV}, method)
    directory = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    flipped = bytearray(data)
    flipped[60] ^= 1
    for damaged in (
        *(data[:-1], data[:-30], data + b"x", data + data, b"x" + data, bytes(flipped)),
        data[:directory] + b"x" + data[directory:],
        data[: directory + 24] + struct.pack("<L", 5) + data[directory + 28 :],  # another size
        data[: directory + 16] + b"\0\0\0\0" + data[directory + 20 :],  # another CRC
        data[:30] + b"z" + data[31:],  # another name than in the directory
        data[: end + 10] + b"\xff\xff" + data[end + 12 : end + 16] + b"\0" * 4 + data[end + 20 :],
    ):
        outcome = read(damaged)
        assert outcome.code in (20, 23), outcome.error
        assert outcome.code == 23 or damaged[:2] != b"PK", outcome.error


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_damaged_tar_is_refused(pack):
    data = tar_of({"a.csv": CSV, "x.csv": LONG}, tarfile.USTAR_FORMAT)
    content = data.rstrip(b"\0")
    second = 1024
    for damaged in (
        data[: second + 700],  # in the content of the second member
        data[:second],  # between the members, where Python's tarfile sees the end
        data[: second + 100],
        data[:second] + b"x" * 512 + data[second:],  # no header: Python's tarfile ends there
        data[: second + 148] + b"0000000\0" + data[second + 156 :],  # another checksum
        content + bytes(-len(content) % 512),  # without its end
        data + b"x",
        data + data,
    ):
        outcome = read(pack(damaged))
        assert outcome.code == 23, (outcome.error, len(damaged))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_gigabytes_takes_no_memory(kind, limited):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 8 << 30
    refused(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)), 14, "a header of")


def test_a_negative_size_is_refused():
    info = tarfile.TarInfo("x.csv")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12  # -1 in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    refused(bytes(header) + bytes(2048), 23, "damaged tar archive")


def test_headers_that_follow_each_other_without_end_are_refused():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 13
    refused((info.tobuf() + b"13 comment=x\n".ljust(512, b"\0")) * 3000 + bytes(1024), 23, "damaged tar archive")


PROGRAM = """
import sys, time
from pathlib import Path
from parquetizer.raw.inputs import raw_files
from stage.errors import StageError
started = time.process_time()
try:
    print(sum(1 for _ in raw_files(Path("raw"), "d", sys.argv[1])))
except StageError as error:
    print(type(error).__name__)
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1])
print(time.process_time() - started)
"""


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["**/*.txt", "none"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_million_members_take_bounded_memory_and_time(kind, pattern):
    Path("raw").mkdir()
    if kind == "zip":
        with zipfile.ZipFile("raw/d", "w") as archive:
            for number in range(MANY):
                archive.writestr(zipfile.ZipInfo(f"folder/{number:09}.txt"), b"x")
    else:
        with Path("raw/d").open("wb") as file:
            for number in range(MANY):
                info = tarfile.TarInfo(f"folder/{number:09}.txt")
                file.write(info.tobuf(tarfile.USTAR_FORMAT))
            file.write(bytes(1024))
    done = subprocess.run([sys.executable, "-c", PROGRAM, pattern], capture_output=True, text=True, check=True)
    count, peak, seconds = done.stdout.split()
    assert count == ("InputMissing" if pattern == "none" else str(MANY))
    assert int(peak) < 320 * 1024
    assert float(seconds) < 600
