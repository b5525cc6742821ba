"""What holds for the package as a whole."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lmtune


def test_every_public_name_is_there():
    for name in lmtune.__all__:
        assert callable(getattr(lmtune, name)), name
    with pytest.raises(AttributeError, match="lmtune has no 'fitt'"):
        lmtune.fitt  # noqa: B018


def test_import_is_quick():
    """Importing lmtune loads none of the heavy libraries; each comes where it is used."""
    code = (
        "import sys, lmtune, lmtune.training.loop, lmtune.chapters.registry, lmtune.notebook.explorer, lmtune.notebook.claims\n"
        "print([m for m in ('transformers', 'optuna', 'peft', 'matplotlib', 'pandas', 'sklearn', 'datasets', 'pyarrow')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_stub_for_editors_names_what_is_there():
    """`lmtune/__init__.pyi` is what an editor sees, because names are imported when they are first used."""
    stub = (Path(lmtune.__file__).parent / "__init__.pyi").read_text("utf8")
    named = re.findall(r"^from lmtune\.([\w.]+) import (\w+) as \2$", stub, re.MULTILINE)
    assert {name: home for home, name in named} == lmtune._HOME
    assert (Path(lmtune.__file__).parent / "py.typed").is_file()
