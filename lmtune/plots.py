"""One style of figure, and no figure without alternative text.

The figures are SVG on a white plate, in colours that differ in lightness too, so
that they can be told apart in grey and by colour-blind readers.  matplotlib is
imported where it is used: importing ``lmtune`` stays quick.
"""

from __future__ import annotations

import base64
import html
import io
import re
import sys
from typing import Any

#: Colours, from the most used: each differs from the others by at least 9 in CIE
#: lightness, and has a contrast of at least 3 to 1 with the white plate.
COLOURS = ("#0072B2", "#DF7A00", "#882255", "#111111", "#332288")
#: A line style for each colour, so that colour is never the only difference.
LINES = ("-", "--", "-.", ":", (0, (6, 1.5, 1.5, 1.5, 1.5, 1.5)))
#: A marker for each colour, for points (curves of many steps go without).
MARKERS = ("o", "s", "^", "D", "v")

#: The width in inches at which a page shows figures; wider ones are shrunk to it.
SHOWN_WIDTH = 7.0
#: No text is smaller than this at the width shown, in points.
SMALLEST_TEXT = 9.0
#: An alternative text shorter than this cannot say what is seen.
SHORTEST_ALT = 20


def style():
    """A context manager: matplotlib's settings for the figures of the book.

    :func:`figure` and :func:`svg` use it by themselves; it is for figures that
    another library draws.
    """
    import matplotlib
    from cycler import cycler

    return matplotlib.rc_context(
        {
            "font.family": ["sans-serif"],
            # DejaVu comes with matplotlib; the others are about as wide in a browser without it.
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
            "font.size": 10,
            "axes.labelsize": 10,
            "axes.titlesize": 12,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "figure.facecolor": "white",
            "axes.facecolor": "white",
            "savefig.facecolor": "white",
            "savefig.transparent": False,
            "savefig.bbox": None,
            "axes.edgecolor": "#444444",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "grid.linestyle": "-",
            "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES),
            # Text stays text (small, searchable), and the same figure gives the same bytes.
            "svg.fonttype": "none",
            "svg.hashsalt": "lmtune",
        }
    )


def figure(width: float = SHOWN_WIDTH, height: float = 3.5, columns: int = 1):
    """A figure in the book's style, unknown to pyplot: only :func:`show` shows it.

    Args:
        width, height: in inches.
        columns: how many axes stand side by side.

    Returns ``(fig, ax)``, or ``(fig, axes)`` with an array of axes when
    ``columns`` is more than 1.
    """
    from matplotlib.figure import Figure

    if columns < 1:
        raise ValueError(f"columns is {columns}; a figure has 1 or more axes side by side")
    with style():
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(1, columns)


def svg(fig) -> str:
    """The figure as SVG text, the same bytes for the same figure (no date, fixed ids).

    Raises ``ValueError`` when some text would be smaller than 9 points at the
    width shown, and ``TypeError`` when ``fig`` is no matplotlib ``Figure``.
    """
    from matplotlib.figure import Figure

    if not isinstance(fig, Figure):
        raise TypeError(f"a figure is a matplotlib Figure and got {type(fig).__name__}; give fig, or ax.figure")
    buffer = io.StringIO()
    with style():
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    _refuse_small_text(fig)  # after drawing: tick labels have no text before
    # The XML declaration and document type mean nothing inside a page.
    return re.sub(r"^.*?(?=<svg )", "", buffer.getvalue(), count=1, flags=re.DOTALL)


def show(fig, alt: str, caption: str | None = None) -> None:
    """Display a figure as HTML with its alternative text, and close it.

    Args:
        fig: a matplotlib ``Figure``.
        alt: what is seen, for those who do not see it: 20 characters or more.
        caption: text under the figure.

    Raises ``TypeError`` or ``ValueError`` on a missing or too short ``alt``, on
    what is no figure, and on text too small to read.
    """
    picture = image(fig, required_alt(alt))
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    publish(f'<figure class="lmtune-figure">{picture}{below}</figure>', alt)
    close(fig)


def required_alt(alt: str) -> str:
    """``alt`` itself when it can say what is seen; an error with the remedy when not."""
    if not isinstance(alt, str):
        raise TypeError(f"alt is {alt!r}; it must be text that says what the figure shows")
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(
            f"alt is {alt!r}, {len(alt.strip())} characters; say in at least "
            f"{SHORTEST_ALT} what is seen, for example 'Training loss falls from "
            "6 to 3 nats in 200 steps'"
        )
    return alt


def image(fig, alt: str) -> str:
    """An ``<img>`` element that holds the figure itself and its alternative text."""
    data = base64.b64encode(svg(fig).encode()).decode()
    return f'<img alt="{html.escape(alt)}" style="max-width:100%;height:auto" src="data:image/svg+xml;base64,{data}">'


def publish(page: str, text: str, widget: dict[str, Any] | None = None) -> None:
    """Display one output in its representations; outside IPython print the text.

    Args:
        page: the ``text/html``.
        text: the ``text/plain``.
        widget: the widget view that a live kernel shows instead, if any.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(text)
        return
    from IPython.display import display

    bundle: dict[str, Any] = {"text/html": page, "text/plain": text}
    if widget is not None:
        bundle["application/vnd.jupyter.widget-view+json"] = widget
    display(bundle, raw=True)


def close(fig) -> None:
    """Take the figure away from pyplot, which would show it a second time."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)


def _refuse_small_text(fig) -> None:
    from matplotlib.text import Text

    shrunk = min(1.0, SHOWN_WIDTH / fig.get_figwidth())
    for text in fig.findobj(Text):
        size = text.get_fontsize() * shrunk
        if text.get_visible() and text.get_text().strip() and size < SMALLEST_TEXT - 1e-6:
            raise ValueError(
                f"the text {text.get_text()!r} is {size:.1f} points high at the {SHOWN_WIDTH:g} "
                f"inches that a page shows, and {SMALLEST_TEXT:g} is the least: make the text "
                "larger or the figure narrower"
            )
