"""Small archives and compressed files, in memory."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

import pyarrow as pa


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive; a name may be there twice with another case of its dot: ``./a`` and ``a``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def tar_of(members: Mapping[str, bytes | tarfile.TarInfo], format: int = tarfile.PAX_FORMAT, mode: str = "w") -> bytes:
    """Return a tar archive; a member may be given as its header."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=format) as archive:  # type: ignore[call-overload]  # any mode
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(data, tarfile.TarInfo) else data
            info.name, info.size = name, len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zstd(data: bytes) -> bytes:
    """Return data compressed by Zstandard."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(data)
    return bytes(sink.getvalue())


def arrow(table: pa.Table, kind: str, **options: Any) -> bytes:
    """Return an Arrow file or stream."""
    sink = pa.BufferOutputStream()
    writer = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with writer(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as file:
        file.write_table(table)
    return bytes(sink.getvalue())
