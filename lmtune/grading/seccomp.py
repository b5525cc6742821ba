"""Which system calls a process in the sandbox may not make: a filter that the kernel runs before each call.

Namespaces leave some of the kernel shared: keyrings, memory that belongs to no process, and calls that
no answer needs.  The filter is a classic BPF program; ``namespaces.py`` installs it.  What is
refused fails with EPERM, so that a library that only tries goes on.
"""

from __future__ import annotations

import errno
import platform
import struct
import sys
from functools import lru_cache

#: Of each machine: the word by which the kernel names it (AUDIT_ARCH_...), and the column of :data:`REFUSED`.
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

#: Calls that are refused, with their numbers on x86_64 and aarch64 (linux/unistd.h).
REFUSED: dict[str, tuple[int | None, int]] = {
    # Keyrings are the instructor's, and outlive the process: one student could leave word for the next.
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    # Memory that no process has, or that is not counted as a process's.
    **{"shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197)},
    **{"semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192)},
    **{"msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180)},
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447)},
    # Other processes.
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"pidfd_getfd": (438, 438), "kcmp": (312, 272)},
    # Large parts of the kernel that have had holes, and that no answer needs.
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282)},
    **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427)},
    # Mounts and namespaces.
    **{"mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51)},
    **{"open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431)},
    **{"fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467)},
    **{"unshare": (272, 97), "setns": (308, 268)},
    **{"name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265)},
    # The machine itself.
    **{"kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106)},
    **{"swapon": (167, 224), "swapoff": (168, 225), "syslog": (103, 116), "acct": (163, 89)},
    **{"quotactl": (179, 60), "quotactl_fd": (443, 443), "fanotify_init": (300, 262), "lookup_dcookie": (212, 18)},
    **{"nfsservctl": (180, 42), "vhangup": (153, 58), "settimeofday": (164, 170), "clock_settime": (227, 112)},
    **{"adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162)},
    **{"iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None)},
}
#: Calls that are judged by an argument.
CLONE, CLONE3, MMAP, SOCKET = (56, 220), (435, 435), (9, 222), (41, 198)
#: Flags of clone that ask for a new namespace.
NEW_NAMESPACES = 0x7E020000
#: MAP_SHARED and MAP_ANONYMOUS together: such memory stays when a process lets its pages go.
SHARED_ANONYMOUS = 0x21
#: AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK; others (AF_VSOCK, AF_ALG, ...) are not held by a network namespace.
FAMILIES = (1, 2, 10, 16)

_LOAD, _EQUAL, _AT_LEAST, _AND, _ANY, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # offsets in seccomp_data
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000


@lru_cache(maxsize=1)
def program() -> bytes:
    """The filter for this machine, and ``b""`` where none is known."""
    return _program(platform.machine()) if sys.platform == "linux" and sys.byteorder == "little" else b""


def _program(machine: str) -> bytes:
    if machine not in MACHINES:
        return b""
    word, column = MACHINES[machine]
    code = [
        *[_step(_LOAD, _MACHINE), _step(_EQUAL, word, 1, 0), _step(_RETURN, _KILL)],  # a call of another machine's
        _step(_LOAD, _NUMBER),
        # On x86_64 the numbers from here on are those of x32, the same calls under other names.
        *[_step(_AT_LEAST, 0x40000000, 0, 1), _step(_RETURN, _KILL)],
        *_when(CLONE3[column], [_refuse(errno.ENOSYS)]),  # its flags are out of sight; libc then takes clone
        *_when(CLONE[column], [_argument(0), _step(_ANY, NEW_NAMESPACES, 0, 1), _refuse(errno.EPERM), _allow()]),
        *_when(MMAP[column], _shared_memory()),
        *_when(SOCKET[column], _families()),
    ]
    for numbers in REFUSED.values():
        if numbers[column] is not None:
            code += _when(numbers[column], [_refuse(errno.EPERM)])
    return b"".join([*code, _allow()])


def _when(number: int, then: list[bytes]) -> list[bytes]:
    """Steps for one call alone; they end it."""
    return [_step(_EQUAL, number, 0, len(then)), *then]


def _shared_memory() -> list[bytes]:
    wanted = SHARED_ANONYMOUS
    return [_argument(3), _step(_AND, wanted), _step(_EQUAL, wanted, 0, 1), _refuse(errno.EPERM), _allow()]


def _families() -> list[bytes]:
    known = [_step(_EQUAL, family, len(FAMILIES) - i, 0) for i, family in enumerate(FAMILIES)]
    return [_argument(0), *known, _refuse(errno.EAFNOSUPPORT), _allow()]


def _argument(index: int) -> bytes:
    return _step(_LOAD, _ARGUMENTS + 8 * index)  # its lower half


def _refuse(number: int) -> bytes:
    return _step(_RETURN, _FAIL | number)


def _allow() -> bytes:
    return _step(_RETURN, _ALLOW)


def _step(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    """One ``struct sock_filter``."""
    return struct.pack("<HBBI", code, true, false, value)
