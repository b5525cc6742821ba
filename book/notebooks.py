"""Make the notebooks from their text sources: python -m book.notebooks [NAMES]

Without options each notebook is derived anew, executed, normalised and written.
--check        write nothing; say where a source and its notebook differ
--no-execute   keep the stored outputs where no code changed (text was edited);
               where code changed, write the notebook unexecuted and say so
"""

import argparse
import os
import sys

import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError

from book.cells import execute
from book.cells.checks import matches_source
from book.cells.derive import address, cell_id, colab_code, derive
from book.cells.normalise import normalise
from book.cells.places import ROOT, names, notebook_path, notebook_paths


def write(notebook, path):
    """Write atomically, so that a reader never meets half a notebook."""
    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(nbformat.writes(notebook, version=4) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def keep_outputs(fresh, stored):
    """Give `fresh` the outputs of `stored` if all code is the same; say whether."""
    if [cell.source for cell in code(fresh)] != [cell.source for cell in code(stored)]:
        return False
    for new, old in zip(code(fresh), code(stored)):
        new.outputs, new.execution_count = old.outputs, old.execution_count
    return True


def stamp(root=ROOT):
    """Write the present address into the Colab cell of every notebook."""
    source = colab_code(address(root))
    for path in notebook_paths(root):
        notebook = read(path)
        for index, cell in enumerate(notebook.cells):
            if "colab" in cell.metadata.get("tags", []):
                cell.source = source
                cell.id = cell_id(index, cell)
        write(notebook, path)
        print(f"notebooks: stamped {path.name}")


def make(name, root=ROOT):
    """Derive, execute, normalise and write one notebook; return whether it is good."""
    notebook = derive(name, root)
    print(f"notebooks: running {name}", flush=True)
    try:
        cost = execute.run(notebook, root / "chapters", name, tell=lambda line: print(line, flush=True))
    except (CellExecutionError, DeadKernelError) as error:
        print(f"notebooks: {name} FAILED; nothing was written\n{error}")
        return False
    if cost.cpu is not None and cost.cpu > execute.CPU_LIMIT:
        print(
            f"notebooks: {name} used {cost}, more than the {execute.CPU_LIMIT} CPU-seconds "
            "a notebook may use; nothing was written"
        )
        return False
    write(normalise(notebook), notebook_path(name, root))
    print(f"notebooks: {name} done, {cost}", flush=True)
    return True


def rewrite(name, root=ROOT):
    """Write one notebook without executing it."""
    notebook, path = derive(name, root), notebook_path(name, root)
    kept = path.exists() and keep_outputs(notebook, read(path))
    write(notebook, path)
    print(
        f"notebooks: {name} "
        + (
            "written, outputs kept"
            if kept
            else "written without outputs, for its code changed; execute it before the tests"
        )
    )
    return True


def check(name, root=ROOT):
    """Say where one notebook differs from its source."""
    problems = matches_source(name, root)
    print("\n".join(f"notebooks: {problem}" for problem in problems) or f"notebooks: {name} matches its source")
    return not problems


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m book.notebooks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="chapters; all when none is named")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--no-execute", action="store_true")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(names())
    if unknown:
        parser.error(f"no such chapter: {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    step = check if options.check else rewrite if options.no_execute else make
    results = [step(name) for name in options.names or names()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
