"""Explorers: move a control and see what changes, with or without a kernel.

Every frame is drawn beforehand.  The same frames stand behind a widget where a
kernel is alive and behind plain HTML controls in the static page, so both show
the same.
"""

from __future__ import annotations

import hashlib
import html
import itertools
import json
import numbers
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lmtune.plots import close, image, publish, required_alt

#: More frames make the page heavy and the cell slow.
MOST_FRAMES = 48

# No ids, no globals: the script finds explorers of its own kind that nobody has
# woken yet and stays inside each, so several in one page do not disturb each other.
_SCRIPT = """
document.querySelectorAll('[data-explorer="HASH"]:not([data-awake])').forEach(root => {
  const all = selector => [...root.querySelectorAll(selector)];
  const pick = root.querySelector("[data-pick]"), views = all("[data-first]");
  const update = () => {
    const view = views[pick ? pick.value : 0];
    let at = 0;
    views.forEach(v => { v.hidden = v !== view; });
    view.querySelectorAll("[data-labels]").forEach(control => {
      const labels = JSON.parse(control.dataset.labels), label = labels[control.value];
      const output = control.closest("span").querySelector("output");
      if (output) { output.value = label; control.setAttribute("aria-valuetext", label); }
      at = at * labels.length + Number(control.value);
    });
    const frames = all("[data-frame]"), now = frames[at + Number(view.dataset.first)];
    frames.forEach(f => { f.hidden = f !== now; });
    const picture = now.querySelector("img");
    root.querySelector(".lmtune-now").textContent = picture ? picture.alt : now.textContent;
  };
  root.dataset.awake = "";
  root.addEventListener("input", update);
  update();
});
"""
_UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


class _Parameter(NamedTuple):
    name: str
    values: list
    labels: list[str]
    default: int  # an index
    ordered: bool  # numbers in order make a slider, anything else a list to choose from

    @property
    def label(self) -> str:
        """Its name as a reader sees it."""
        return self.name.replace("_", " ")


class _View(NamedTuple):
    """The parameters that one view varies in full, the others at their defaults."""

    parameters: list[_Parameter]
    first: int  # the number of its first frame


def explore(draw: Callable[..., Any], /, goal: str, **values) -> None:
    """Show what ``draw`` draws for every choice of one or two values.

    Args:
        draw: called as ``draw(**choice)``.  It returns a matplotlib Figure, or
            ``(Figure, alt)`` with the alternative text of this very frame, or
            a ``str``, shown as it stands.
        goal: what the reader should find with it, one sentence.
        values: for each parameter a list, tuple, range or array of its values,
            or ``(values, default)``; without a default it is the first value.
            Numbers in order make a slider, anything else a list to choose from.

    The first two parameters vary together.  Further ones vary one at a time, all
    others at their defaults; then a list "vary" chooses which.  Every frame is
    drawn when the cell runs, at most 48.

    Raises ``ValueError`` or ``TypeError`` for too many frames, a parameter with
    fewer than two values, a default that is no value, or a ``draw`` that
    returns something else.
    """
    if not isinstance(goal, str) or not goal.strip():
        raise ValueError(
            f"goal is {goal!r}; say in one sentence what to find, for example 'find the largest rate that still trains'"
        )
    if not values:
        raise ValueError("explore needs a parameter to vary; give one as name=[values]")
    parameters = [_parameter(name, given) for name, given in values.items()]
    views = _views(parameters)
    choices = [choice for view in views for choice in _choices(view, parameters)]
    frames = _frames(draw, choices)
    start = _start(views[0])
    page = _page(goal, views, frames, start)
    text = f"Explorer ({len(frames)} frames, {len(page) // 1000} kB). Goal: {goal}\nShown: {frames[start][0]}"
    publish(page, text, _widget(goal, views, [f for _, f in frames]))


def _parameter(name: str, given) -> _Parameter:
    chosen: list = []  # holds the default, which may be None itself
    if isinstance(given, tuple) and len(given) == 2 and _is_values(given[0]):
        given, chosen = given[0], [given[1]]
    if not _is_values(given):
        raise TypeError(f"{name} is {given!r}; give a list of values, or (list, default)")
    values = given.tolist() if hasattr(given, "tolist") else list(given)
    labels = [_label(v) for v in values]
    if len(set(labels)) < len(labels):
        labels = [str(v) for v in values]
    if len(values) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"{name} has the values {values}; a control needs at least two, all different")
    if chosen and chosen[0] not in values:
        raise ValueError(f"the default of {name} is {chosen[0]!r}; it must be one of {values}")
    ordered = all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values) and (
        values in (sorted(values), sorted(values, reverse=True))
    )
    return _Parameter(name, values, labels, values.index(chosen[0]) if chosen else 0, ordered)


def _is_values(given) -> bool:
    return isinstance(given, (list, tuple, range)) or getattr(given, "ndim", None) == 1


def _label(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _views(parameters: Sequence[_Parameter]) -> list[_View]:
    groups = [list(parameters[:2])] + [[p] for p in parameters[2:]]
    views, first = [], 0
    for group in groups:
        views.append(_View(group, first))
        first += _size(group)
    if first > MOST_FRAMES:
        counts = " + ".join(" x ".join(f"{len(p.values)} of {p.name}" for p in g) for g in groups)
        raise ValueError(f"{counts} make {first} frames and {MOST_FRAMES} are the most; give fewer values")
    return views


def _size(group: Sequence[_Parameter]) -> int:
    size = 1
    for parameter in group:
        size *= len(parameter.values)
    return size


def _choices(view: _View, parameters: Sequence[_Parameter]) -> list[dict[str, Any]]:
    defaults = {p.name: p.values[p.default] for p in parameters}
    names = [p.name for p in view.parameters]
    return [
        {**defaults, **dict(zip(names, chosen))} for chosen in itertools.product(*(p.values for p in view.parameters))
    ]


def _start(view: _View) -> int:
    """The frame of ``view`` in which everything stands at its default."""
    at = 0
    for parameter in view.parameters:
        at = at * len(parameter.values) + parameter.default
    return view.first + at


def _frames(draw, choices: list[dict]) -> list[tuple[str, str]]:
    """For each choice what it says in words, and its HTML."""
    from tqdm.auto import tqdm

    # Silent when quick: the bar comes after two seconds.
    return [_frame(draw, choice) for choice in tqdm(choices, "frames", leave=False, delay=2)]


def _frame(draw, choice: dict[str, Any]) -> tuple[str, str]:
    drawn = draw(**choice)
    if isinstance(drawn, str):
        return drawn, f'<pre style="white-space:pre-wrap">\n{html.escape(drawn)}</pre>'
    if isinstance(drawn, tuple) and len(drawn) == 2:
        fig, alt = drawn[0], required_alt(drawn[1])
    else:
        fig, alt = drawn, None
    if not hasattr(fig, "savefig"):
        raise TypeError(
            f"draw returned {type(fig).__name__} for {_said(choice)}; it must return a Figure, (Figure, alt) or text"
        )
    alt = alt or f"{_subject(fig)} for {_said(choice)}"
    picture = image(fig, alt)
    close(fig)
    return alt, picture


def _said(choice: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {_label(value)}" for name, value in choice.items())


def _subject(fig) -> str:
    """What the axes themselves say that they show."""
    said = [ax.get_title() or " against ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel()))) for ax in fig.axes]
    return " and ".join(filter(None, said)) or "Figure"


def _page(goal: str, views: list[_View], frames: list[tuple[str, str]], start: int) -> str:
    named = json.dumps([goal, [[(p.name, p.labels, p.default) for p in v.parameters] for v in views]])
    mark = hashlib.blake2b(named.encode(), digest_size=6).hexdigest()
    controls = _picker(views) + "".join(
        f'<div data-first="{view.first}"{"" if view is views[0] else " hidden"}>'
        f"{''.join(map(_control, view.parameters))}</div>"
        for view in views
    )
    figures = "".join(
        f'<figure data-frame="{i}"{"" if i == start else " hidden"}>{frame}</figure>'
        for i, (_, frame) in enumerate(frames)
    )
    return (
        f'<div class="lmtune-explorer" data-explorer="{mark}" role="group" '
        f'aria-label="{html.escape(goal)}"><p class="lmtune-goal">Goal: {html.escape(goal)}</p>'
        f'{controls}<div class="lmtune-frames">{figures}</div>'
        f'<p class="lmtune-now" aria-live="polite" style="{_UNSEEN}">'
        f"{html.escape(frames[start][0])}</p>"
        f"<script>{_SCRIPT.replace('HASH', mark)}</script></div>"
    )


def _names(view: _View) -> str:
    return " and ".join(p.label for p in view.parameters)


def _picker(views: list[_View]) -> str:
    if len(views) == 1:
        return ""
    options = "".join(f'<option value="{i}">{html.escape(_names(view))}</option>' for i, view in enumerate(views))
    return f'<label>vary <select data-pick autocomplete="off">{options}</select></label> '


def _control(parameter: _Parameter) -> str:
    name, labels, at = html.escape(parameter.label), parameter.labels, parameter.default
    # Browsers remember controls across a reload; autocomplete="off" keeps them at the default.
    common = f'data-labels="{html.escape(json.dumps(labels))}" autocomplete="off"'
    if parameter.ordered:
        shown = html.escape(labels[at])
        # The output is silent: aria-valuetext says the value already.
        return (
            f'<span class="lmtune-control"><label>{name} <input type="range" min="0" '
            f'max="{len(labels) - 1}" step="1" value="{at}" aria-valuetext="{shown}" '
            f'{common}></label> <output aria-live="off">{shown}</output></span> '
        )
    options = "".join(
        f'<option value="{i}"{" selected" if i == at else ""}>{html.escape(label)}</option>'
        for i, label in enumerate(labels)
    )
    return f'<span class="lmtune-control"><label>{name} <select {common}>{options}</select></label></span> '


def _widget(goal: str, views: list[_View], frames: list[str]) -> dict[str, Any] | None:
    """The view of a live widget over the same frames; None without a kernel or ipywidgets."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    box = _box(ipywidgets, goal, views, frames)
    return {"version_major": 2, "version_minor": 0, "model_id": box.model_id}


def _box(ipywidgets, goal: str, views: list[_View], frames: list[str]):
    """Only classes that ipywidgets 7.7 has too, since Colab has that."""
    heading = ipywidgets.HTML(f"Goal: {html.escape(goal)}")
    picture = ipywidgets.HTML()
    controls = [[_live_control(ipywidgets, p) for p in view.parameters] for view in views]
    pick = ipywidgets.Dropdown(options=[(_names(v), i) for i, v in enumerate(views)], value=0, description="vary")
    box = ipywidgets.VBox()

    def update(_=None) -> None:
        at = 0
        for control in controls[pick.value]:
            at = at * len(control.options) + control.value
        picture.value = frames[views[pick.value].first + at]

    def choose(_=None) -> None:
        box.children = [heading, *([pick] if len(views) > 1 else []), *controls[pick.value], picture]
        update()

    pick.observe(choose, "value")
    for control in itertools.chain.from_iterable(controls):
        control.observe(update, "value")
    choose()
    return box


def _live_control(ipywidgets, parameter: _Parameter):
    kind = ipywidgets.SelectionSlider if parameter.ordered else ipywidgets.Dropdown
    return kind(
        options=[(label, i) for i, label in enumerate(parameter.labels)],
        value=parameter.default,
        description=parameter.label,
    )
