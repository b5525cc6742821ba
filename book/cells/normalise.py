"""Reduce a notebook to what another run on another machine gives again.

`stored_outputs` is used twice: on what is stored, and by the tests on what a
new run shows before the two are compared. Hence nothing that is dropped here
can differ there.
"""

import re
import sysconfig
from pathlib import Path

import nbformat

from book.cells import fold

WIDGET = "application/vnd.jupyter.widget-view+json"
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")
CELL_FILE = re.compile(r"/[\w./-]{0,80}/ipykernel_\d+/\d+\.py")
# Bounded, because outputs hold images of a megabyte in which "/" is frequent.
SITE = re.compile(r"(?:~|/)[^\s:'\"]{0,200}?/site-packages/")
ROOT = str(Path(__file__).resolve().parents[2])
HOME = str(Path.home())


def plain_text(text):
    """Text without memory addresses and without the paths of this machine."""
    if " at 0x" in text:
        text = ADDRESS.sub("at 0x0", text)
    if "ipykernel_" in text:
        text = CELL_FILE.sub("cell.py", text)
    if "site-packages/" in text:
        text = SITE.sub("site-packages/", text)
    library = sysconfig.get_paths()["stdlib"]
    text = text.replace(library + "/", "python/").replace(ROOT + "/", "")
    return text.replace(HOME + "/", "~/") if len(HOME) > 3 else text


def after_returns(text):
    """What a terminal still shows of each line after its carriage returns."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def plain_data(data):
    """A mime bundle without the live widget, its texts made plain."""
    kept = {mime: value for mime, value in data.items() if mime != WIDGET}
    return {mime: plain_text(value) if isinstance(value, str) else value for mime, value in kept.items()}


def stored_outputs(outputs):
    """The outputs of one cell as they are stored and compared."""
    stored = []
    for output in outputs:
        output = nbformat.from_dict(dict(output))
        if output.output_type == "stream":
            if output.name != "stdout":
                continue
            output.text = plain_text(output.text)
            if stored and stored[-1].output_type == "stream":
                stored[-1].text += output.text
                continue
        elif output.output_type == "error":
            output.evalue = plain_text(output.evalue)
            output.traceback = [plain_text(line) for line in output.traceback]
        elif "data" in output:
            # A widget without an HTML form is a progress bar, or a dead control.
            if WIDGET in output.data and "text/html" not in output.data:
                continue
            output.data = nbformat.from_dict(plain_data(output.data))
            output.metadata = nbformat.from_dict({})
        stored.append(output)
    for output in stored:
        if output.output_type == "stream":
            output.text = after_returns(output.text)
    return [output for output in stored if output.output_type != "stream" or output.text]


def normalise(notebook):
    """Normalise the outputs and the metadata of an executed notebook in place."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})
    for cell in notebook.cells:
        # nbclient adds the times of execution to the metadata.
        kept = {key: cell.metadata[key] for key in ("tags", *fold.METADATA) if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = stored_outputs(cell.outputs)
    return notebook
