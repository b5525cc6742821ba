"""What one answer function may use."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lmtune.arguments import is_whole

#: No limit may be larger; the system's own calls take no number beyond every bound.
MOST = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one answer function may use.

    Args:
        seconds: wall-clock time, for all cases together; also processor time.
        memory_mb: memory of all its processes together; watched ten times a second.
        address_mb: address space of one process; a torch that is imported takes several GB of it.
        disk_mb: what it may write; its whole file system is kept in memory.
        file_mb: one file.
        processes: processes and threads.
        output_mb: what it prints.
    """

    seconds: int = 20
    memory_mb: int = 1500
    address_mb: int = 8000
    disk_mb: int = 64
    file_mb: int = 16
    processes: int = 32
    output_mb: int = 8

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not is_whole(value) or not 1 <= value <= MOST:
                raise ValueError(
                    f"The limit {field.name} is {value!r}; it must be a whole number from 1 on, at most {MOST}."
                )
