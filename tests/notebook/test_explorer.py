"""Explorers: the static page, the live widget over the same frames, and what is refused."""

import base64
import itertools
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from book.cells.execute import ThisEnvironment
from lmtune import explore
from lmtune.notebook import explorer as module
from lmtune.plots import figure

WIDGETS_OF_7_7 = {"SelectionSlider", "IntSlider", "Dropdown", "Output", "HTML", "VBox"}
VOID = {"input", "img"}


class Node:
    def __init__(self, tag, attrs=()):
        self.tag, self.attrs, self.children = tag, dict(attrs), []

    def find(self, tag=None, **attrs):
        names = {k.replace("_", "-"): v for k, v in attrs.items()}
        for child in self.children:
            if isinstance(child, Node):
                if tag in (None, child.tag) and all(
                    k in child.attrs and v in (child.attrs[k], any) for k, v in names.items()
                ):
                    yield child
                yield from child.find(tag, **attrs)

    @property
    def text(self):
        return "".join(c if isinstance(c, str) else c.text for c in self.children)


class Tree(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open = [Node("page")]
        self.feed(page)
        assert len(self.open) == 1, "an element is not closed"
        self.root = self.open[0]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, attrs)
        assert len(attrs) == len(node.attrs), "an attribute stands twice"
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


@pytest.fixture
def show(monkeypatch):
    """Run explore; returns the parsed page, the page, the text and the widget."""
    outputs = []
    monkeypatch.setattr(module, "publish", lambda *given: outputs.append(given))

    def run(draw, goal="find the best", **values):
        assert explore(draw, goal=goal, **values) is None
        page, text, widget = outputs.pop()
        assert not outputs
        return Tree(page).root, page, text, widget

    return run


def said(**choice):
    return " ".join(f"{k}:{v}" for k, v in choice.items())


def picture(rate):
    fig, ax = figure()
    ax.plot([0, 1], [0, rate])
    ax.set(xlabel="step", ylabel="loss")
    return fig


def frames(root):
    return list(root.find("figure", data_frame=any))


def shown_frames(root):
    return [i for i, f in enumerate(frames(root)) if "hidden" not in f.attrs]


def test_one_slider(show):
    root, page, text, widget = show(picture, rate=([0.1, 0.2, 0.4], 0.2))
    [group] = root.find("div", role="group")
    assert group.attrs["class"] == "lmtune-explorer"
    assert group.attrs["aria-label"] == "find the best"
    assert next(root.find("p", **{"class": "lmtune-goal"})).text == "Goal: find the best"
    [slider] = root.find("input")
    assert {k: slider.attrs[k] for k in ("type", "min", "max", "step", "value")} == {
        "type": "range",
        "min": "0",
        "max": "2",
        "step": "1",
        "value": "1",
    }
    assert slider.attrs["aria-valuetext"] == next(root.find("output")).text == "0.2"
    assert json.loads(slider.attrs["data-labels"]) == ["0.1", "0.2", "0.4"]
    [label] = root.find("label")
    assert slider in label.children and label.text.strip() == "rate"
    assert shown_frames(root) == [1] and len(frames(root)) == 3
    assert [f.attrs["data-frame"] for f in frames(root)] == ["0", "1", "2"]
    assert widget is None  # no kernel here
    assert text.startswith("Explorer (3 frames, ") and "Goal: find the best" in text


def test_each_frame_is_the_svg_of_its_value(show):
    root, *_ = show(picture, rate=[1, 2])
    images = [next(f.find("img")) for f in frames(root)]
    assert [i.attrs["alt"] for i in images] == ["loss against step for rate = 1", "loss against step for rate = 2"]
    data = [i.attrs["src"].removeprefix("data:image/svg+xml;base64,") for i in images]
    assert base64.b64decode(data[0]).startswith(b"<svg ") and data[0] != data[1]


def test_the_alt_of_a_frame_is_said(show):
    root, *_ = show(lambda rate: (picture(rate), f"The loss climbs steeply to {rate}"), rate=([1, 2], 2))
    assert [next(f.find("img")).attrs["alt"] for f in frames(root)] == [
        "The loss climbs steeply to 1",
        "The loss climbs steeply to 2",
    ]
    [live] = root.find("p", aria_live="polite")
    assert live.text == "The loss climbs steeply to 2"


def test_words_make_a_list_to_choose_from(show):
    root, *_ = show(said, library=(["numpy", "torch", "scipy"], "torch"))
    [choice] = root.find("select")
    options = list(choice.find("option"))
    assert [(o.attrs["value"], o.text) for o in options] == [("0", "numpy"), ("1", "torch"), ("2", "scipy")]
    assert ["selected" in o.attrs for o in options] == [False, True, False]
    assert not list(root.find("input"))
    assert next(frames(root)[1].find("pre")).text.strip() == "library:torch"


@pytest.mark.parametrize(
    "values, slider",
    [
        ([1, 2, 3], True),
        ([3.0, 2.0, 1.0], True),
        (range(3), True),
        ([1, 3, 2], False),
        ([False, True], False),
        (["a", "b"], False),
        ([None, 1], False),
    ],
)
def test_only_numbers_in_order_make_a_slider(values, slider, show):
    root, *_ = show(said, x=values)
    assert bool(list(root.find("input"))) == slider


def test_arrays_and_tensors_are_values(show):
    import numpy as np
    import torch

    seen = []
    for values in (np.array([0.5, 1.0]), torch.tensor([0.5, 1.0])):
        show(lambda x: seen.append(x) or "text", x=(values, 1.0))
    assert seen == [0.5, 1.0] * 2 and all(type(v) is float for v in seen)


def test_a_default_of_none_is_a_default(show):
    root, *_ = show(said, clip=([0.5, None], None))
    assert shown_frames(root) == [1]


def test_two_controls_make_all_frames_in_order(show):
    root, *_ = show(said, a=([1, 2], 2), b=(["x", "y", "z"], "y"))
    assert [f.text.strip() for f in frames(root)] == [f"a:{a} b:{b}" for a, b in itertools.product([1, 2], "xyz")]
    assert shown_frames(root) == [4]
    assert not list(root.find(data_pick=any))


def test_further_parameters_vary_one_at_a_time(show):
    root, *_ = show(said, a=([1, 2], 2), b=[5, 6], c=(["x", "y"], "y"), d=[0, 7])
    assert [f.text.strip() for f in frames(root)] == [
        *(f"a:{a} b:{b} c:y d:0" for a in (1, 2) for b in (5, 6)),
        "a:2 b:5 c:x d:0",
        "a:2 b:5 c:y d:0",
        "a:2 b:5 c:y d:0",
        "a:2 b:5 c:y d:7",
    ]
    [pick] = root.find("select", data_pick=any)
    assert [o.text for o in pick.find("option")] == ["a and b", "c", "d"]
    views = list(root.find(data_first=any))
    assert [v.attrs["data-first"] for v in views] == ["0", "4", "6"]
    assert ["hidden" in v.attrs for v in views] == [False, True, True]
    assert all(len(list(v.find(data_labels=any))) <= 2 for v in views)
    assert shown_frames(root) == [2]


def test_forty_eight_frames_are_the_most(show):
    show(said, a=range(6), b=range(8))
    with pytest.raises(ValueError, match="7 of a x 7 of b make 49 frames and 48 are the most"):
        show(said, a=range(7), b=range(7))
    with pytest.raises(ValueError, match=r"6 of a x 8 of b \+ 2 of c make 50"):
        show(said, a=range(6), b=range(8), c=[0, 1])


def test_too_many_frames_are_refused_before_any_is_drawn(show):
    with pytest.raises(ValueError):
        show(lambda a: pytest.fail("drawn"), a=range(49))


@pytest.mark.parametrize(
    "values, words",
    [
        ([1], "at least two"),
        ([], "at least two"),
        ([1, 1], "all different"),
        (([1, 2], 3), "the default of x is 3; it must be one of"),
    ],
)
def test_values_that_make_no_control(values, words, show):
    with pytest.raises(ValueError, match=words):
        show(said, x=values)


@pytest.mark.parametrize("values", [3, "text", None, {1: 2}])
def test_what_is_no_list_of_values(values, show):
    with pytest.raises(TypeError, match="give a list of values"):
        show(said, x=values)


def test_a_goal_and_a_parameter_are_needed(show):
    with pytest.raises(ValueError, match="what to find"):
        show(said, goal=" ", x=[1, 2])
    with pytest.raises(TypeError):
        explore(said, x=[1, 2])
    with pytest.raises(ValueError, match="a parameter to vary"):
        show(said)


def test_a_draw_that_returns_something_else(show):
    with pytest.raises(TypeError, match="draw returned NoneType for x = 1; it must return"):
        show(lambda x: None, x=[1, 2])
    with pytest.raises(ValueError, match="say in at least 20"):
        show(lambda x: (picture(x), "short"), x=[1, 2])


def test_labels_that_round_alike_are_written_out(show):
    root, *_ = show(said, x=[0.10000001, 0.10000002])
    assert json.loads(next(root.find("input")).attrs["data-labels"]) == ["0.10000001", "0.10000002"]


def test_everything_is_escaped(show):
    evil = '</pre></script><img src=x onerror="alert(1)">&amp;\'"'
    root, page, *_ = show(lambda **choice: evil, goal=evil, x=[evil, "b"])
    assert not list(root.find("img"))
    assert next(root.find("div", role="group")).attrs["aria-label"] == evil
    assert next(frames(root)[0].find("pre")).text == "\n" + evil  # HTML drops that line end
    assert next(root.find("option")).text == evil
    assert json.loads(next(root.find("select")).attrs["data-labels"])[0] == evil
    assert page.count("</script>") == 1
    root, *_ = show(lambda x: (picture(x), evil), x=[1, 2])
    assert next(root.find("img")).attrs["alt"] == evil and len(list(root.find("img"))) == 2


def test_the_page_is_deterministic_and_names_no_ids(show):
    pages = [show(picture, rate=[1, 2])[1] for _ in range(2)]
    assert pages[0] == pages[1]
    root = Tree(pages[0]).root
    assert not list(root.find(id=any))  # two explorers in one page cannot clash
    marks = {
        next(Tree(show(said, **given)[1]).root.find(data_explorer=any)).attrs["data-explorer"]
        for given in ({"x": [1, 2]}, {"x": [1, 3]}, {"y": [1, 2]}, {"x": ([1, 2], 2)}, {"x": [1, 2], "goal": "another"})
    }
    assert len(marks) == 5


def test_the_script_leaves_no_globals_and_asks_for_nothing(show):
    root, page, *_ = show(said, x=[1, 2])
    [script] = root.find("script")
    mark = next(root.find(data_explorer=any)).attrs["data-explorer"]
    lines = script.text.strip().splitlines()
    assert lines[0].startswith("document.querySelectorAll(") and mark in lines[0]
    assert lines[-1] == "});" and all(line.startswith("  ") for line in lines[1:-1])
    assert "not([data-awake])" in lines[0]  # an explorer is woken once
    assert "HASH" not in page and "http" not in page and len(lines) <= 25


def test_frames_are_taken_from_pyplot(show):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    show(lambda x: plt.subplots()[0], x=[1, 2])
    assert plt.get_fignums() == before


# The live widget -------------------------------------------------------------------------


class Only:
    """ipywidgets with nothing but what version 7.7 has, and a memory of what was used."""

    def __init__(self, real):
        self.real, self.used = real, set()

    def __getattr__(self, name):
        assert name in WIDGETS_OF_7_7, f"ipywidgets.{name} may not be used"
        self.used.add(name)
        return getattr(self.real, name)


@pytest.fixture
def live():
    """The widget of an explorer, with its controls by name and the picture's frame."""
    ipywidgets = Only(pytest.importorskip("ipywidgets"))

    def build(**values):
        parameters = [module._parameter(n, v) for n, v in values.items()]
        views = module._views(parameters)
        texts = [said(**c) for v in views for c in module._choices(v, parameters)]
        return module._box(ipywidgets, "the <goal>", views, texts)

    build.ipywidgets = ipywidgets
    return build


def controls(box):
    return {c.description: c for c in box.children[1:-1]}


def test_the_widget_shows_the_same_frames(live):
    box = live(a=([1, 2], 2), b=["x", "y"])
    assert box.children[0].value == "Goal: the &lt;goal&gt;"
    assert set(controls(box)) == {"a", "b"}
    frame = box.children[-1]
    assert frame.value == "a:2 b:x"
    controls(box)["b"].value = 1
    assert frame.value == "a:2 b:y"
    controls(box)["a"].value = 0
    assert frame.value == "a:1 b:y"
    assert live.ipywidgets.used == {"HTML", "VBox", "Dropdown", "SelectionSlider"}


def test_the_widget_varies_further_parameters_one_at_a_time(live):
    box = live(a=[1, 2], b=[3, 4], c=([5, 6], 6))
    assert set(controls(box)) == {"vary", "a", "b"}
    controls(box)["a"].value = 1
    controls(box)["vary"].value = 1
    assert set(controls(box)) == {"vary", "c"}
    frame = box.children[-1]
    assert frame.value == "a:1 b:3 c:6"
    controls(box)["c"].value = 0
    assert frame.value == "a:1 b:3 c:5"
    controls(box)["vary"].value = 0
    assert frame.value == "a:2 b:3 c:6"


class Shell:
    kernel = object()


def test_a_kernel_gets_both_representations(show, monkeypatch):
    pytest.importorskip("ipywidgets")
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    root, page, text, widget = show(said, x=[1, 2])
    assert set(widget) == {"version_major", "version_minor", "model_id"} and widget["model_id"]
    assert len(frames(root)) == 2 and widget["model_id"] not in page


def test_without_ipywidgets_there_is_the_page(show, monkeypatch):
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    root, page, text, widget = show(said, x=[1, 2])
    assert widget is None and len(frames(root)) == 2


def test_without_ipython_the_text_is_printed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    explore(said, goal="find it", x=[1, 2])
    out = capsys.readouterr().out
    assert out.endswith("Goal: find it\nShown: x:1\n") and "<div" not in out


NOTEBOOK = """
from lmtune import claim, explore, figure, show, check
explore(lambda x: f"text {x}", goal="find it", x=[1, 2])
fig, ax = figure(); ax.plot([1, 2])
show(fig, "A line that climbs from one to two")
claim("one is one", True)
"""


def test_in_a_real_kernel(monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(Path(module.__file__).parents[1]))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    nbclient.NotebookClient(book, timeout=120, kernel_manager_class=ThisEnvironment).execute()
    first, second, third = book.cells[0].outputs
    assert set(first.data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert len(frames(Tree(first.data["text/html"]).root)) == 2
    assert set(second.data) == {"text/html", "text/plain"}
    assert second.data["text/plain"] == "A line that climbs from one to two"
    assert third.data["text/plain"] == "claim holds: one is one"  # and no echo of the verdict


def test_importing_does_not_import_ipywidgets():
    code = (
        "import sys, lmtune.notebook.explorer\n"
        "assert not {'ipywidgets', 'matplotlib', 'IPython', 'tqdm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
