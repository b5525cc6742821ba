"""Files that are written whole or not at all, and what they are known by."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that readers see the old one or the whole new one, also after a kill.

    Text is stored as UTF-8.  Raises ``OSError`` where it cannot be written; the old file then stays.
    """
    data = content.encode() if isinstance(content, str) else content
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits, read a piece at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    """What a new file may not allow; mkstemp's are private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
