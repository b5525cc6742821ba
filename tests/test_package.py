"""What holds for the package as a whole."""

import subprocess
import sys

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
        "import sys, lmtune, lmtune.training.loop, lmtune.exercises, lmtune.notebook.explorer, lmtune.notebook.claims\n"
        "print([m for m in ('transformers', 'optuna', 'peft', 'matplotlib', 'pandas', 'sklearn')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
