"""Scripts in several processes: they run, they agree, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmtune.devices import launch

needs_loopback = pytest.mark.skipif(not launch.loopback(), reason="no loopback interface")
SLEEPER = """
import os, sys, time
open(os.path.join(sys.argv[1], f"{os.environ['RANK']}.pid"), "w").write(str(os.getpid()))
time.sleep(100)
"""


def script(folder, text):
    path = folder / "script.py"
    path.write_text(text)
    return path


def pids(folder, wanted=2, seconds=60):
    """The processes of SLEEPER, once both have said who they are."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = [p.read_text() for p in folder.glob("*.pid")]
        if len(found) == wanted and all(found):
            return [int(p) for p in found]
        time.sleep(0.05)
    raise AssertionError("the processes did not start")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(found, seconds=30):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and any(map(alive, found)):
        time.sleep(0.05)
    return not any(map(alive, found))


@needs_loopback
def test_two_processes_add_up(tmp_path):
    said = launch.torchrun(
        script(
            tmp_path,
            """
import sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
t = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(t)
if dist.get_rank() == 0:
    print("sum", t.item(), sys.argv[1], torch.get_num_threads())
dist.destroy_process_group()
""",
        ),
        "given",
    )
    assert "sum 3.0 given 1" in said


@needs_loopback
def test_a_script_that_fails_is_an_error_with_its_words(tmp_path):
    with pytest.raises(RuntimeError, match="no such flavour"):
        launch.torchrun(script(tmp_path, "raise SystemExit('no such flavour')"))


@needs_loopback
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_nothing_is_left_after_the_time_limit(tmp_path):
    for limit in (15, 90):  # a busy machine may not have started them after the first
        with pytest.raises(TimeoutError, match=f"{limit} s"):
            launch.torchrun(script(tmp_path, SLEEPER), str(tmp_path), timeout=limit)
        if len(list(tmp_path.glob("*.pid"))) == 2:
            break
    assert all_gone(pids(tmp_path, seconds=1))


@needs_loopback
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_after_an_interrupt_or_a_kill(tmp_path, sign):
    path = script(tmp_path, SLEEPER)
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from lmtune.devices.launch import torchrun; torchrun({str(path)!r}, {str(tmp_path)!r})",
        ],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
        # A shell lets its background jobs ignore the interrupt, and their children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    found = pids(tmp_path)
    assert all(map(alive, found))
    os.kill(parent.pid, sign)
    parent.wait(30)
    assert all_gone(found)
    children = subprocess.run(["ps", "-e", "-o", "args"], capture_output=True, text=True).stdout
    assert not [line for line in children.splitlines() if str(tmp_path) in line]


def test_without_loopback_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "loopback", lambda: False)
    with pytest.raises(ConnectionError, match="ip link set lo up"):
        launch.torchrun(script(tmp_path, "pass"))


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match="existing Python file"):
        launch.torchrun(tmp_path / "none.py")
    with pytest.raises(ValueError, match="at least 1"):
        launch.torchrun(script(tmp_path, "pass"), processes=0)
