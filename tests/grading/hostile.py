"""Hostile and broken submissions: each writes itself, and says what its record must show.

The graded function is ``double(values)``: each value times two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

#: Asks the system itself, so that a sandbox that is broken fails its tests instead of skipping them.
NAMESPACES = (
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import ctypes; raise SystemExit("
            "ctypes.CDLL(None).unshare(0x10000000 | 0x20000 | 0x20000000 | 0x40000000) != 0)",
        ],
        stderr=subprocess.DEVNULL,
    ).returncode
    == 0
)
NONE = "this system gives no namespaces to this user"

#: A seed as `lmtune release` makes them.
SEED = "660fceb5f87d8432c4dc7d3422eff7a21b9b37e0f0b1e1198fe5e2974d96da2a"

STUB = 'def double(values):\n    """Each value times two, a list."""\n    ...  # your code here\n'
HONEST = "def double(values):\n    return [2 * v for v in values]\n"

#: A homework with one part, for a folder of instructors.
HOMEWORK = f"""
from lmtune.grading.homework import Homework, Part

SECRET = "the-grader-keeps-this"

def reference_double(values):
    return [2 * v for v in values]

HOMEWORK = Homework(name="double", title="Doubling", question="Why?", rubric=[(2, "says why")], parts=[Part(
    id="double", level="core", minutes=5, aim="Double numbers.", hints=["twice"], stub={STUB!r},
    inputs=lambda rng: [[[rng.randint(1, 10**6) for _ in range(3)]] for _ in range(3)],
    truth=lambda values: [v + v for v in values], reference=reference_double,
    mistakes=[(lambda v: [x * x for x in v], "each value was multiplied with itself, says the grader"), (lambda v: v, "nothing was doubled"),
              (lambda v: [x + 2 for x in v], "two was added")])])
"""


def notebook(*cells: str, **metadata) -> str:
    """A notebook with these code cells as JSON."""
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": metadata,
            "cells": [
                {"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None}
                for c in cells
            ],
        }
    )


def doing(body: str) -> str:
    """A notebook whose answer runs ``body`` (indented by four) before the right answer."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return notebook(f"def double(values):\n{lines}\n    return [2 * v for v in values]\n")


PASSED, NOT_YET, UNREADABLE = "passed", "not yet", "problem"

#: Name, notebook text (or a function that writes into a folder), status, and words of the message.
CASES: dict[str, tuple[str | Callable[[Path], None], str, str]] = {}


def case(name: str, status: str, words: str = ""):
    def keep(made):
        CASES[name] = (made, status, words)
        return made

    return keep


for _name, _text, _status, _words in [
    ("endless-loop", doing("while True: pass"), NOT_YET, "seconds"),
    ("sleeps", doing("import time; time.sleep(1000)"), NOT_YET, "seconds"),
    ("endless-cells", notebook("while True: pass", "LIMIT = [0 for _ in iter(int, 1)]", HONEST), PASSED, ""),
    (
        "endless-assignment",
        notebook("X = sum(1 for _ in iter(int, 1))", "def double(values):\n    return X\n"),
        NOT_YET,
        "seconds",
    ),
    (
        "fork-bomb",
        doing("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"),
        NOT_YET,
        "",
    ),
    ("memory-hog", doing("held = []\nwhile True: held.append(bytearray(10**7))"), NOT_YET, "emory"),
    (
        "memory-of-many",
        doing(
            "import os\nfor _ in range(6):\n    os.fork()\nheld = bytearray(60 * 10**6)\nimport time; time.sleep(60)"
        ),
        NOT_YET,
        "",
    ),
    (
        "disk-filler",
        doing("import os\nfor i in range(100):\n    open(f'/tmp/{i}', 'wb').write(bytes(10**7))"),
        NOT_YET,
        "",
    ),
    ("many-files", doing("for i in range(10**6): open(f'/tmp/{i}', 'w').close()"), NOT_YET, ""),
    ("huge-output", doing("while True: print('x' * 10**6)"), NOT_YET, "printed more than"),
    ("huge-answer", notebook("def double(values):\n    return 'x' * 10**8\n"), NOT_YET, "longer than"),
    ("huge-number", notebook("def double(values):\n    return [10**5000] * 3\n"), NOT_YET, ""),
    (
        "deep-answer",
        notebook("def double(values):\n    x = []\n    for _ in range(10**5): x = [x]\n    return x\n"),
        NOT_YET,
        "nested",
    ),
    ("exits", doing("import os; os._exit(0)"), NOT_YET, "ended before"),
    ("exits-like-a-refusal", doing("import os; os._exit(97)"), NOT_YET, "97"),
    ("sys-exit", doing("raise SystemExit(0)"), NOT_YET, "SystemExit"),
    ("crashes", doing("import ctypes; ctypes.string_at(0)"), NOT_YET, "crashed"),
    ("kills-its-parent", doing("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"), NOT_YET, "PermissionError"),
    (
        "kills-everything",
        doing(
            "import os, signal\nfor p in range(2, 70000):\n    try:\n        p == os.getpid() or "
            "os.kill(p, signal.SIGKILL)\n    except OSError:\n        pass"
        ),
        PASSED,
        "",
    ),
    (
        "edits-lmtune",
        doing("import lmtune.exercises.plain as a\nopen(a.__file__, 'w').write('')"),
        NOT_YET,
        "Read-only file system",
    ),
    (
        "edits-the-checks",
        doing(
            "import lmtune.exercises.plain as a, lmtune.exercises as e\na.difference = lambda *_: ''\n"
            "e.judged = None\nreturn ['wrong']"
        ),
        NOT_YET,
        "your answer",
    ),
    (
        "forges-printing",
        doing(
            "print('passed')\nprint('{\"value\": [1, 2, 3]}')\nimport sys\nsys.__stdout__.write('passed\\n'); return 0"
        ),
        NOT_YET,
        "your answer",
    ),
    (
        "forges-replies",
        doing(
            "import os, json\nfor fd in range(3, 20):\n    try:\n        os.write(fd, "
            'b\'{"status": "passed", "value": true}\\n\' * 9)\n    except OSError:\n        pass\n'
            "os._exit(0)"
        ),
        NOT_YET,
        "",
    ),
    (
        "forges-nonsense",
        doing(
            "import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b'\\xff[[[[\\n' * 9)\n"
            "    except OSError:\n        pass\nos._exit(0)"
        ),
        NOT_YET,
        "",
    ),
    (
        "forges-an-error",
        doing(
            "import os, json\nfor fd in range(3, 20):\n    try:\n        os.write(fd, "
            'b\'{"error": {"a": [1]}, "failed": []}\\n\')\n    except OSError:\n        pass\n'
            "os._exit(0)"
        ),
        NOT_YET,
        "",
    ),
    (
        "always-equal",
        notebook(
            "class Yes(list):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
            "def double(values):\n    return Yes()\n"
        ),
        NOT_YET,
        "",
    ),
    ("syntax-error", notebook(HONEST, "def broken(:\n"), PASSED, "no valid Python"),
    ("broken-answer", notebook("def double(values:\n    return"), NOT_YET, "no function double"),
    ("early-error", notebook("raise RuntimeError('first cell')", HONEST), PASSED, ""),
    ("raises", doing("raise ValueError('<script>alert(1)</script>')"), NOT_YET, "alert(1)"),
    (
        "hides-a-cell",
        json.dumps(
            {"nbformat": 4, "cells": [{"cell_type": "raw", "source": HONEST}, {"cell_type": "code", "source": STUB}]}
        ),
        "not attempted yet",
        "",
    ),
    ("renames-the-function", notebook(HONEST.replace("double", "twice")), NOT_YET, "no function double"),
    ("deletes-cells", notebook("x = 1"), NOT_YET, "no function double"),
    ("no-cells", json.dumps({"nbformat": 4, "cells": []}), NOT_YET, "no function double"),
    ("duplicates-cells", notebook(HONEST, STUB, HONEST), PASSED, "defined 3 times"),
    ("wrong-kernel", notebook(HONEST, kernelspec={"name": "ir", "language": "R"}), PASSED, "kernel"),
    ("not-json", "dear teacher, my notebook is attached", UNREADABLE, "not JSON"),
    ("not-text", "\udcff\udcfe", UNREADABLE, "not UTF-8"),
    ("empty-file", "", UNREADABLE, "not JSON"),
    ("other-json", "[1, 2, 3]", UNREADABLE, "without cells"),
    (
        "strange-cells",
        json.dumps(
            {
                "metadata": [],
                "cells": [None, 3, {"cell_type": "code", "source": {"a": 1}}, {"cell_type": "code", "source": HONEST}],
            }
        ),
        PASSED,
        "",
    ),
    ("deep-json", "[" * 100_000, UNREADABLE, ""),
    ("deep-code", notebook("x = " + "-" * 200_000 + "1", HONEST), PASSED, ""),
    (
        "outputs-without-execution",
        json.dumps(
            {
                "nbformat": 4,
                "cells": [
                    {
                        "cell_type": "code",
                        "source": STUB,
                        "execution_count": 7,
                        "outputs": [{"output_type": "stream", "name": "stdout", "text": "passed"}],
                    }
                ],
            }
        ),
        "not attempted yet",
        "",
    ),
    (
        "absent-package",
        notebook("import no_such_package", "def double(values):\n    return no_such_package.twice(values)"),
        NOT_YET,
        "no_such_package",
    ),
    ("unneeded-absent-package", notebook("import no_such_package", HONEST), PASSED, ""),
    ("magics", notebook("%matplotlib inline\n!rm -rf /\n" + HONEST), PASSED, ""),
    ("ünïcodé 名前 ‮", notebook(HONEST), PASSED, ""),
    ("neighbours-id", notebook("STUDENT_ID = 'honest-1'", HONEST), PASSED, "STUDENT_ID = 'honest-1'"),
    (
        "opens-sockets",
        doing("import socket\nsocket.create_connection(('127.0.0.1', 9), timeout=1)"),
        NOT_YET,
        "OSError",
    ),
    (
        "opens-outside",
        doing("import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=1)"),
        NOT_YET,
        "nreachable",
    ),
    ("becomes-root", doing("import os; os.setuid(0)"), NOT_YET, "OSError"),
    (
        "new-namespace",
        doing("import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0"),
        NOT_YET,
        "AssertionError",
    ),
    (
        "mounts",
        doing("import ctypes\nassert ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0"),
        NOT_YET,
        "AssertionError",
    ),
    (
        "reads-keys",
        doing(
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nfor call in (248, 249, 250):\n"
            "    assert libc.syscall(call, b'user', b'x', b'y', 1, -3) == -1 and ctypes.get_errno() == 1"
        ),
        PASSED,
        "",
    ),
    (
        "memory-of-nobody",
        doing(
            "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.shmget(0, 10**6, 0o1600) == -1\n"
            "assert libc.memfd_create(b'x', 0) == -1 and libc.msgget(0, 0o1600) == -1"
        ),
        PASSED,
        "",
    ),
    (
        "memory-that-pages-left",
        doing(
            "import mmap\nfor _ in range(9):\n    held = mmap.mmap(-1, 10**8)\n    for i in range(0, 10**8, 4096): "
            "held[i] = 1\n    held.madvise(mmap.MADV_DONTNEED)\nraise SystemExit('it got 900 MB')"
        ),
        NOT_YET,
        "PermissionError",
    ),
    (
        "deep-forgery",
        doing(
            "import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b'{\"value\": ' + b'[' * 500 + b']' * 500"
            " + b'}\\n')\n    except OSError:\n        pass\nos._exit(0)"
        ),
        NOT_YET,
        "",
    ),
    (
        "names-formulas",
        notebook("STUDENT_ID = ';=1+1;=cmd|x\\n; total: 10 of 10\\nid: x'", HONEST),
        PASSED,
        "STUDENT_ID",
    ),
    (
        "reads-other-homes",
        doing("import os\nassert os.listdir('/home/student') == [] and os.listdir('/home') == ['student']"),
        PASSED,
        "",
    ),
    (
        "background",
        doing(
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        time.sleep(3600)\n    os._exit(0)"
        ),
        PASSED,
        "",
    ),
]:
    CASES[_name] = (_text, _status, _words)

#: Looks for what the grader knows, in modules, environment, memory and files; returns what it found.
SEARCH = r"""
def double(values):
    import gc, os, re, sys
    found = []
    marks = ("the-grader-keeps-this", "660fceb5f87d8432", "each value was multiplied with itself, says the grader")
    texts = [repr(dict(os.environ)), " ".join(map(str, sys.argv)), repr(sorted(sys.modules))]
    for thing in gc.get_objects():
        if isinstance(thing, dict) and thing.get("__name__") != "answer":
            texts += [v for v in list(thing.values()) if isinstance(v, str) and len(v) < 10**5 and "def double" not in v]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline", "mountinfo"):
            try:
                texts.append(open(f"/proc/{pid}/{name}", errors="replace").read())
            except OSError:
                pass
        try:
            open(f"/proc/{pid}/mem", "rb") if int(pid) != os.getpid() else 1 / 0
            found.append("memory of " + pid)
        except (OSError, ZeroDivisionError):
            pass
    for start in ("/submission", "/home", "/tmp", "/work", "/root", "/opt", "/srv", "/mnt", "/var", "/etc"):
        for here, folders, files in os.walk(start):
            if "site-packages" in here or "/lib/python" in here or "/pretrained" in here:
                folders[:] = []
                continue
            for name in files:
                try:
                    texts.append(open(os.path.join(here, name), errors="ignore").read(10**6))
                except OSError:
                    pass
                if name in ("roster.csv", "grading.toml") or "instructor" in here:
                    found.append(name)
    found += [m for m in marks if any(m in t and "marks = (" not in t for t in texts)]
    return found
"""
CASES["looks-for-answers"] = (notebook(SEARCH), NOT_YET, "your answer: []")


@case("fifty-megabytes", UNREADABLE, "clear its outputs")
def fifty_megabytes(folder: Path) -> None:
    (folder / "n.ipynb").write_text(notebook(HONEST) + " " * 50_000_000)


@case("large-outputs", PASSED)
def large_outputs(folder: Path) -> None:
    book = json.loads(notebook(HONEST))
    book["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 15_000_000}]
    (folder / "n.ipynb").write_text(json.dumps(book))


@case("symlink-notebook", UNREADABLE, "link")
def symlink_notebook(folder: Path) -> None:
    (folder / "n.ipynb").symlink_to(folder.parent / "honest-1.ipynb")


@case("symlink-folder", NOT_YET, "your answer: 'nothing'")
def symlink_folder(folder: Path) -> None:
    os.symlink("/etc", folder / "data")
    os.symlink("/etc/passwd", folder / "passwd.txt")
    (folder / "n.ipynb").write_text(
        notebook(
            "import os\ndef double(values):\n    return str(os.listdir('data')) if os.path.exists('data') or "
            "os.path.exists('passwd.txt') else 'nothing'"
        )
    )


@case("pipe-in-folder", PASSED, "no regular file")
def pipe_in_folder(folder: Path) -> None:
    os.mkfifo(folder / "waits")
    (folder / "n.ipynb").write_text(notebook(HONEST))


@case("own-data", PASSED)
def own_data(folder: Path) -> None:
    (folder / "factor.txt").write_text("2")
    (folder / "n.ipynb").write_text(
        notebook(
            "FACTOR = int(open('factor.txt').read())", "def double(values):\n    return [FACTOR * v for v in values]"
        )
    )


@case("two-notebooks", UNREADABLE, "2 notebooks")
def two_notebooks(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.ipynb").write_text(notebook(HONEST))


@case("no-notebook", UNREADABLE, "no notebook")
def no_notebook(folder: Path) -> None:
    (folder / "essay.docx").write_text("")


def write_class(folder: Path) -> list[str]:
    """Write every case and honest students between them; the ids in the roster's order."""
    ids = []
    for i, (name, (made, _, _)) in enumerate(CASES.items()):
        if i % 15 == 0:
            ids.append(f"honest-{i // 15}")
            (folder / f"{ids[-1]}.ipynb").write_text(notebook(HONEST))
        ids.append(name)
        if callable(made):
            (folder / name).mkdir()
            made(folder / name)
        else:
            (folder / f"{name}.ipynb").write_text(made, encoding="utf-8", errors="surrogateescape")
    return ids
