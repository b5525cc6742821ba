"""The filter of system calls: what it decides, on each machine that it knows, and that the kernel obeys it."""

import platform
import struct
from pathlib import Path

import hostile
import pytest

from lmtune.grading import sandbox, seccomp

needs_sandbox = pytest.mark.skipif(not hostile.NAMESPACES, reason=hostile.NONE)
machines = pytest.mark.parametrize("machine", seccomp.MACHINES)
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
ALLOWED, KILLED = "allowed", "killed"
#: Calls without which no Python runs: read, write, openat, execve, futex, on each machine.
NEEDED = {"x86_64": (0, 1, 257, 59, 202), "aarch64": (63, 64, 56, 221, 98)}


def decided(program, machine, number, *arguments):
    """What a filter says of one call: a small machine for classic BPF, written from the kernel's description."""
    data = struct.pack("<IIQ6Q", number, machine, 0, *(list(arguments) + [0] * 6)[:6])
    steps = list(struct.iter_unpack("<HBBI", program))
    at = value = 0
    while True:
        code, true, false, k = steps[at]
        at += 1
        if code == 0x20:
            value = struct.unpack_from("<I", data, k)[0]
        elif code == 0x54:
            value &= k
        elif code == 0x06:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(k, k & 0xFFFF)
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            at += true if holds else false


@machines
def test_what_is_refused_is_refused_and_the_rest_is_not(machine):
    program, (word, column) = seccomp._program(machine), seccomp.MACHINES[machine]
    for name, numbers in seccomp.REFUSED.items():
        if numbers[column] is not None:
            assert decided(program, word, numbers[column]) == EPERM, name
    assert [decided(program, word, number) for number in NEEDED[machine]] == [ALLOWED] * 5


@machines
def test_calls_that_are_judged_by_an_argument(machine):
    program, (word, column) = seccomp._program(machine), seccomp.MACHINES[machine]
    clone, clone3, mmap, socket = (
        pair[column] for pair in (seccomp.CLONE, seccomp.CLONE3, seccomp.MMAP, seccomp.SOCKET)
    )
    assert decided(program, word, clone, 0x3D0F00) == ALLOWED, "a thread"
    assert decided(program, word, clone, 0x10000000 | 17) == EPERM, "a user namespace"
    assert decided(program, word, clone3) == ENOSYS
    assert decided(program, word, mmap, 0, 4096, 3, 0x22) == ALLOWED, "private memory"
    assert decided(program, word, mmap, 0, 4096, 3, 0x01) == ALLOWED, "a file"
    assert decided(program, word, mmap, 0, 4096, 3, 0x21) == decided(program, word, mmap, 0, 4096, 3, 0x23) == EPERM
    assert [decided(program, word, socket, family) for family in (1, 2, 10, 16)] == [ALLOWED] * 4
    assert [decided(program, word, socket, family) for family in (0, 3, 38, 40)] == [EAFNOSUPPORT] * 4


@machines
def test_calls_of_another_kind_of_machine_end_the_process(machine):
    program, (word, _) = seccomp._program(machine), seccomp.MACHINES[machine]
    assert decided(program, 0x40000003, 1) == KILLED, "32 bits, whose numbers are others"
    assert decided(program, word, 0x40000000 + 1) == KILLED, "x32"


def test_a_machine_that_is_not_known_has_no_filter_and_says_so(monkeypatch):
    assert seccomp._program("riscv64") == b""
    monkeypatch.setattr(seccomp, "program", lambda: b"")
    assert "no filter of system calls is known" in sandbox.unfiltered()


@pytest.mark.parametrize(
    "machine, header", [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")]
)
def test_numbers_are_those_of_the_kernels_headers(machine, header):
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("the kernel's headers are not installed")
    lines = [line.split() for line in path.read_text().splitlines() if line.startswith("#define __NR")]
    known = {line[1].removeprefix("__NR3264_").removeprefix("__NR_"): line[2] for line in lines if line[-1].isdigit()}
    column = seccomp.MACHINES[machine][1]
    judged = {"clone": seccomp.CLONE, "clone3": seccomp.CLONE3, "mmap": seccomp.MMAP, "socket": seccomp.SOCKET}
    for name, numbers in (seccomp.REFUSED | judged).items():
        if name in known and numbers[column] is not None:
            assert int(known[name]) == numbers[column], name


#: Harmless calls that succeed without the filter: keyctl (which keyring is mine?), memfd_create, shmget.
CALLS = {"x86_64": (250, 319, 29), "aarch64": (219, 279, 194)}


def called_inside(folder):
    code = (
        f"import ctypes\ndef f():\n    call = ctypes.CDLL(None).syscall\n    keys, memory, shared = {CALLS[platform.machine()]}\n"
        "    return [call(keys, 0, -4, 1) >= 0, call(memory, b'x', 0) >= 0, call(shared, 0, 4096, 0o1600) >= 0]"
    )
    request = {"code": code, "name": "f", "cases": [[]]}
    return sandbox.run(request, folder, 1, sandbox.Limits(seconds=5)).replies[0]["value"]


@needs_sandbox
@pytest.mark.skipif(platform.machine() not in CALLS, reason="no filter is known for this machine")
def test_the_kernel_obeys_the_filter_and_the_test_would_see_it_missing(tmp_path, monkeypatch):
    assert called_inside(tmp_path) == [False] * 3 and sandbox.unfiltered() == ""
    monkeypatch.setattr(seccomp, "program", lambda: b"")
    assert called_inside(tmp_path) == [True] * 3


@needs_sandbox
@pytest.mark.skipif(platform.machine() not in CALLS, reason="the number of keyctl is not known for this machine")
def test_the_session_keyring_is_not_that_of_whoever_grades(tmp_path, monkeypatch):
    """Also without the filter: what lies in that keyring is not there."""
    import ctypes

    call, number = ctypes.CDLL(None).syscall, CALLS[platform.machine()][0]
    mine = call(number, 0, -3, 1)  # the id of the session keyring
    monkeypatch.setattr(seccomp, "program", lambda: b"")
    code = f"import ctypes\ndef f():\n    return ctypes.CDLL(None).syscall({number}, 0, -3, 1)"
    theirs = sandbox.run({"code": code, "name": "f", "cases": [[]]}, tmp_path, 1).replies[0]["value"]
    assert mine > 0 and theirs != mine


@needs_sandbox
def test_threads_processes_and_callbacks_work_under_the_filter(tmp_path):
    code = (
        "import ctypes, socket, subprocess, threading\ndef f():\n    told = []\n"
        "    thread = threading.Thread(target=told.append, args=(1,)); thread.start(); thread.join()\n"
        "    told.append(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(1))\n"
        "    told.append(int(subprocess.run(['/bin/sh', '-c', 'echo 3'], capture_output=True).stdout))\n"
        "    a, b = socket.socketpair(); a.send(b'4'); told.append(int(b.recv(1)))\n    return told"
    )
    reply = sandbox.run({"code": code, "name": "f", "cases": [[]]}, tmp_path, 1).replies[0]
    assert reply.get("value") == [1, 2, 3, 4], reply
