"""Pytest plugin: nbval compares what the normaliser stores, and trusts no unrun cell.

By itself nbval compares progress bars and warnings too, which are not stored,
and passes every cell that was never executed.  A claim that drew itself is
compared as `drawn` says.
"""

import pytest
from jupyter_client.manager import KernelManager
from nbval import kernel
from nbval.plugin import IPyNbCell

from book.cells.drawn import settled
from book.cells.execute import connection
from book.cells.normalise import stored_outputs

#: Seconds for which a kernel that has ended a cell may keep its last words; nbval's own 5 are too few
#: where other work fills the machine.
PATIENCE = 120


def pytest_configure():
    kernel.KernelManager = lambda **settings: KernelManager(**settings, **connection())
    compare = IPyNbCell.compare_outputs
    if getattr(compare, "normalised", False):
        return

    def compare_normalised(cell, test, ref, skip_compare=None):
        return compare(cell, *settled(stored_outputs(test), stored_outputs(ref)), skip_compare)

    compare_normalised.normalised = True
    IPyNbCell.compare_outputs = compare_normalised


def pytest_runtest_setup(item):
    if isinstance(item, IPyNbCell):
        item.parent.output_timeout = PATIENCE
    if isinstance(item, IPyNbCell) and not item.options["skip"] and item.cell.execution_count is None:
        pytest.fail(f"cell {item.cell_num} was never executed; run: make notebooks", pytrace=False)
