"""Start one command where it can do no harm: ``python -I namespaces.py SETTINGS`` (Linux only).

Own user, PID, network, mount, IPC and UTS namespaces, a root folder in memory that holds
nothing but the Python of this environment, a copy of one folder, and limits.  This file runs
as a program of its own and uses the standard library alone.  What each step holds off:

- a PID namespace: nothing outside can be seen or signalled, and all ends with its first process;
- a mount namespace on a new root: no home, no other submissions, no answers; disk is bounded memory;
- a network namespace without interfaces: no connections;
- a user namespace with a non-root id: the limit on processes binds (it does not bind root), and
  no further namespaces can be made in it;
- a session keyring of its own, and a filter of system calls (``seccomp.py`` says which and why).
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
#: Flags that a folder was mounted with (statvfs) and a new mount of it must keep.
KEPT = {2: NOSUID, 4: NODEV, 8: NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
DETACH, DEATH_SIGNAL, DUMPABLE, SECCOMP, NO_NEW_PRIVILEGES = 2, 1, 4, 22, 38
INSIDE, NOBODY = 1000, 65534
#: The empty home, and the copy of the submission.
HOME, FOLDER = "/home/student", "/submission"


def called(name, *arguments):
    """One call of libc; ``OSError`` that says which when it fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    encoded = [os.fsencode(a) if isinstance(a, str) else a for a in arguments]
    if getattr(libc, name)(*encoded) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source, target, kind=None, flags=0, data=None):
    called("mount", source, target, kind, ctypes.c_ulong(flags), data)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def become(inside, outside_user, outside_group):
    """In a fresh user namespace, be ``inside``."""
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{inside} {outside_user} 1")
    write("/proc/self/gid_map", f"{inside} {outside_group} 1")


def show(path, root):
    """Make an existing file or folder visible in the new root under its own name, read-only."""
    target = root + path
    if os.path.islink(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w").close()
    mount(path, target, flags=BIND | REC)
    found = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in KEPT.items() if found & bit)
    device = 0 if path.startswith("/dev/") else NODEV
    mount(None, target, flags=BIND | REMOUNT | RDONLY | NOSUID | device | kept)


def room(folder):
    """The bytes and the number of files and folders that a copy of ``folder`` takes."""
    size = files = 0
    for here, _, names in os.walk(folder):
        files += 1 + len(names)
        size += sum(os.path.getsize(os.path.join(here, name)) + 4096 for name in names)
    return size, files


def new_root(settings):
    """Build the root folder in memory and make it ``/``; ends in the copy of the submission."""
    root = settings["root"]
    size, files = room(settings["folder"])
    size += settings["limits"]["disk_mb"] << 20  # the answer's own, beside what was handed in
    mount(None, "/", flags=REC | PRIVATE)
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, f"size={size},nr_inodes={4096 + files},mode=755")
    for path in settings["shown"]:
        if os.path.lexists(path):
            show(path, root)
    for path in ("/proc", "/tmp", HOME):
        os.makedirs(root + path, exist_ok=True)
    mount("proc", root + "/proc", "proc", NOSUID | NODEV | NOEXEC)
    shutil.copytree(settings["folder"], root + FOLDER)
    owner = NOBODY if settings["was_root"] else 0
    os.chmod(root + "/tmp", 0o1777)
    os.chown(root + HOME, owner, owner)
    for folder, _, files in os.walk(root + FOLDER):
        for path in (folder, *(os.path.join(folder, f) for f in files)):
            os.chown(path, owner, owner)
            os.chmod(path, 0o700 if path == folder else 0o600)
    os.chdir(root)
    called("pivot_root", ".", ".")
    called("umount2", ".", DETACH)
    os.chdir(FOLDER)


def limit(limits):
    """The limits of one process; the whole is also watched from outside."""
    import resource  # not on Windows, where this module is read and not run

    mb = 1 << 20
    for name, value in (
        ("AS", limits["address_mb"] * mb),
        ("FSIZE", limits["file_mb"] * mb),
        ("CPU", limits["seconds"] + 1),
        ("NOFILE", 128),
        ("CORE", 0),
        ("NPROC", limits["processes"]),
        ("MEMLOCK", 0),
        ("MSGQUEUE", 0),
    ):
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


class Program(ctypes.Structure):
    """The kernel's ``struct sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def filter_calls(steps):
    """Let the kernel judge each system call from now on; without a filter where it cannot, which a trial tells."""
    if steps:
        program = Program(len(steps) // 8, steps)
        ctypes.CDLL(None).prctl(SECCOMP, 2, ctypes.byref(program), 0, 0)


def new_keyring():
    """Leave the session keyring of whoever grades; where there are none nothing is to be left."""
    number = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, 1, None)  # keyctl(KEYCTL_JOIN_SESSION_KEYRING)


def give_up_rights(settings):
    """Be an ordinary user of a user namespace of one's own, for good."""
    new_keyring()
    if settings["was_root"]:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        called("prctl", DUMPABLE, 1, 0, 0, 0)  # otherwise /proc/self belongs to root
    user, group = os.geteuid(), os.getegid()
    called("unshare", NEWUSER)
    become(INSIDE, user, group)
    write("/proc/sys/user/max_user_namespaces", "0")
    called("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    filter_calls(bytes.fromhex(settings["filter"]))
    if os.getuid() != INSIDE:
        raise OSError("the process kept its old id")


def first_process(settings):
    """PID 1 of the namespace: starts the command as an ordinary user and waits for it."""
    called("prctl", DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    try:
        new_root(settings)
    except OSError as error:
        refuse(settings, error)
    child = os.fork()
    if child == 0:
        try:
            give_up_rights(settings)
            limit(settings["limits"])
        except (OSError, ValueError) as error:
            refuse(settings, error)
        os.execve(settings["command"][0], settings["command"], settings["environment"])
    while True:  # children of others that have ended come here as well
        ended, status = os.wait()
        if ended == child:
            os._exit(min(255, abs(os.waitstatus_to_exitcode(status))))


def refuse(settings, error):
    """Say that isolation failed through a pipe that the command never gets."""
    os.write(settings["refusals"], f"{error}".encode())
    os._exit(1)


def main():
    settings = json.loads(sys.argv[1])
    settings["was_root"] = os.geteuid() == 0
    os.set_inheritable(settings["refusals"], False)
    called("prctl", DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    user, group = os.geteuid(), os.getegid()
    try:
        called("unshare", NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET | (0 if settings["was_root"] else NEWUSER))
        if not settings["was_root"]:
            become(0, user, group)
    except OSError as error:
        refuse(settings, error)
    child = os.fork()
    if child == 0:
        first_process(settings)
    _, status = os.waitpid(child, 0)
    os._exit(min(255, abs(os.waitstatus_to_exitcode(status))))


if __name__ == "__main__":
    main()
