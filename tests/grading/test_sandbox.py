"""What a process in the sandbox can reach, and that the tests see a difference without it."""

import json
import os
import shutil
import subprocess
import sys

import hostile
import pytest

from lmtune.exercises import plain
from lmtune.grading import notebook_code, sandbox

needs_sandbox = pytest.mark.skipif(not hostile.NAMESPACES, reason=hostile.NONE)


def first(code, folder, unsafe=False, **limits):
    outcome = sandbox.run(
        {"code": code, "name": "f", "cases": [[]]}, folder, 1, sandbox.Limits(**{"seconds": 5, **limits}), unsafe
    )
    return outcome.replies[0] if outcome.replies else outcome.ended


@needs_sandbox
def test_where_the_system_allows_it_the_sandbox_works():
    assert sandbox.missing() == ""


@needs_sandbox
def test_a_secret_file_is_read_without_the_sandbox_and_not_in_it(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text("the answer")
    code = f"def f():\n    return open({str(tmp_path / 'secret.txt')!r}).read()"
    assert first(code, tmp_path / "in", unsafe=True) == {"value": "the answer", "stub": False}
    assert "No such file" in first(code, tmp_path / "in")["error"]


@needs_sandbox
def test_the_environment_is_written_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    code = "import os\ndef f():\n    return dict(os.environ)"
    for unsafe in (False, True):
        assert "TOKEN" not in first(code, tmp_path, unsafe)["value"]


@needs_sandbox
def test_it_is_an_ordinary_user_alone_with_its_folder(tmp_path):
    (tmp_path / "data.txt").write_text("mine")
    code = (
        "import os\ndef f():\n    return [os.getuid(), [p for p in os.listdir('/proc') if p.isdigit()], "
        "os.listdir('.'), os.listdir(os.environ['HOME']), [n for _, n in __import__('socket').if_nameindex()]]"
    )
    user, processes, files, home, interfaces = first(code, tmp_path)["value"]
    assert (user, files, home) == (1000, ["data.txt"], []) and len(processes) == 2 and set(interfaces) <= {"lo"}


@needs_sandbox
def test_what_it_writes_stays_inside(tmp_path):
    (tmp_path / "data.txt").write_text("mine")
    code = "def f():\n    open('data.txt', 'w').write('changed')\n    return open('data.txt').read()"
    assert first(code, tmp_path)["value"] == "changed"
    assert (tmp_path / "data.txt").read_text() == "mine"


@needs_sandbox
@pytest.mark.parametrize(
    "code, words",
    [
        ("def f():\n    return bytearray(9 * 10**9)", "MemoryError"),
        ("def f():\n    return open('/tmp/a', 'wb').write(bytes(40 * 10**6))", "File too large"),
        (
            "import threading\ndef f():\n    for _ in range(50): threading.Thread(target=__import__('time').sleep, "
            "args=(9,), daemon=True).start()",
            "can't start new thread",
        ),
        ("def f():\n    return [open('/dev/null') for _ in range(500)]", "Too many open files"),
    ],
)
def test_limits_of_one_process_bind(tmp_path, code, words):
    assert words in first(code, tmp_path)["error"]


@needs_sandbox
def test_time_counts_from_when_the_answer_begins(tmp_path):
    assert first("import time\ndef f():\n    time.sleep(1.5)\n    return 1", tmp_path, seconds=3)["value"] == 1
    assert "more than 1 seconds" in first("import time\ndef f():\n    time.sleep(3)", tmp_path, seconds=1)


@needs_sandbox
def test_arrays_and_tensors_become_lists(tmp_path):
    assert first(
        "import numpy as np\ndef f():\n    return {'a': np.arange(3), 'b': (1, np.float32(0.5))}", tmp_path, seconds=20
    )["value"] == {"a": [0, 1, 2], "b": [1, 0.5]}


def test_a_limit_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="seconds is 0"):
        sandbox.Limits(seconds=0)


@needs_sandbox
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="needs a Python that everybody can read")
def test_an_ordinary_user_can_isolate_too(tmp_path):
    shutil.copytree(sandbox.PACKAGE, tmp_path / "lmtune", ignore=shutil.ignore_patterns("pretrained", "__pycache__"))
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != path.parent:
            path.chmod(path.stat().st_mode | 0o055)
    code = "from lmtune.grading import sandbox; print(repr(sandbox.missing()))"
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "-i", "TMPDIR=/tmp"]
    done = subprocess.run(
        [*become, f"PYTHONPATH={tmp_path}", "/usr/bin/python3", "-c", code], capture_output=True, text=True
    )
    if "SyntaxError" in done.stderr or "setpriv" in done.stderr:
        pytest.skip("this system has no other Python that is new enough, or no setpriv")
    assert done.stdout.strip() == "''", done.stdout + done.stderr


@pytest.mark.parametrize(
    "value, truth, same",
    [
        (1.0, 1, True),
        (0.1 + 0.2, 0.3, True),
        (1.0001, 1.0, False),
        (True, 1, False),
        ("1", 1, False),
        ([1], [1, 2], False),
        ([[1.0], "a"], [[1], "a"], True),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (None, 0, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        (10**400, 1.0, False),
        (10**400, 10**400, True),
        ([], {}, False),
    ],
)
def test_comparison(value, truth, same):
    assert (plain.difference(value, truth) == "") is same


def test_comparison_says_where():
    assert plain.difference([1, [2, 3]], [1, [2, 4]]) == "3 at [1][1] where 4 is expected"


def test_code_is_taken_without_what_it_does_not_need():
    cells = [
        "import math, slow_package",
        "history = train()",
        "FACTOR = 2",
        "def inner(x):\n    return FACTOR * math.sqrt(x)",
        "def f(x):\n    return inner(x)",
        "print(f(3))",
    ]
    body, remarks = notebook_code.statements(cells)
    code = "\n".join(s.text for s in notebook_code.needed("f", body))
    assert remarks == [] and "train" not in code and "print" not in code
    assert "FACTOR = 2" in code and "import math" in code


def test_the_program_needs_no_heavy_library():
    code = (
        "import sys; sys.argv = ['x']; import lmtune.grading.inside, lmtune.grading.namespaces, lmtune.grading.sandbox\n"
        "print([m for m in ('torch', 'numpy', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_reply_that_is_nested_too_deep_is_no_answer(depth):
    """What an answer writes into the protocol itself must not end the grading of a class."""
    reply = b'{"value": ' + b"[" * depth + b"]" * depth + b"}"
    assert sandbox._replies(b"{}\n" + reply + b"\n", 1) == (
        [],
        "sent something that is no answer (the answer is nested too deep)",
    )
