"""The directives of the reference pages, which say what the docstrings say.

`{names} loop history` lists the public names whose home is one of these modules
of lmtune, each with the first sentence of its docstring. `{api} loop` documents a
module: its docstring, its public names, and whatever else in it has no
underscore. A public name is an entry of its home module, `lmtune.training.loop.fit`, shown
and found as `lmtune.fit` as well.
"""

import re
import typing
from importlib import import_module

from docutils import nodes
from sphinx import addnodes
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import stringify_annotation

import lmtune

#: Ends a sentence, unless it follows an abbreviation.
STOP = re.compile(r"(?<!\bal)(?<!\be\.g)(?<!\bi\.e)[.?!](?=\s|$)")


def homes():
    """The modules of lmtune in which public names live, and these names."""
    found = {}
    for name, module in lmtune._HOME.items():
        found.setdefault(module, []).append(name)
    return found


def first_sentence(docstring):
    """The first sentence of a docstring, on one line; empty when there is none."""
    paragraph = " ".join((docstring or "").strip().split("\n\n")[0].split())
    stop = STOP.search(paragraph)
    return paragraph[: stop.end()] if stop else paragraph


def members(module, public=()):
    """What a module defines without an underscore and its kind, public names of lmtune first."""
    analyzer = ModuleAnalyzer.for_module(module.__name__)
    analyzer.analyze()
    kinds = {}
    for name in sorted(analyzer.tagorder, key=analyzer.tagorder.get):
        value = getattr(module, name, None)  # a dotted name belongs to a class
        if name.startswith("_") or value is None:
            continue
        if isinstance(value, type) and value.__module__ == module.__name__:
            kinds[name] = "exception" if issubclass(value, BaseException) else "class"
        elif analyzer.tags.get(name, "")[:1] == ("def",):
            kinds[name] = "function"
        elif typing.get_origin(value) and re.search(rf"^{name} = ", analyzer.code, re.MULTILINE):
            kinds[name] = "type"
        elif ("", name) in analyzer.attr_docs:
            kinds[name] = "data"
    return dict(sorted(kinds.items(), key=lambda item: item[0] not in public))


def entry(module, name, kind):
    """The lines of reStructuredText that document one member of a module."""
    full = f"{module.__name__}.{name}"
    if kind == "type":
        comment = ModuleAnalyzer.for_module(module.__name__).attr_docs.get(("", name), [])
        meaning = stringify_annotation(getattr(module, name), "smart")
        return [f".. py:type:: {name}", f"   :canonical: {meaning}", "", *(f"   {line}" for line in comment)]
    if kind in ("class", "exception"):
        value = getattr(module, name)
        for field in getattr(value, "_fields", ()):
            getattr(value, field).__doc__ = None  # "Alias for field number 0"
        return [f".. auto{kind}:: {full}", "   :members:", "   :member-order: bysource", ""]
    return [f".. auto{kind}:: {full}", ""]


def parsed(directive, lines):
    """The nodes of lines of reStructuredText, as docstrings are, in a page of Markdown."""
    return directive.parse_text_to_nodes("\n".join(["````{eval-rst}", *lines, "````"]))


class Api(SphinxDirective):
    """One module: what it says of itself, then its members."""

    required_arguments = 1

    def run(self):
        try:
            module = import_module(f"lmtune.{self.arguments[0]}")
        except ModuleNotFoundError as missing:
            raise self.error(str(missing)) from None
        public = homes().get(self.arguments[0], [])
        lines = [
            f".. py:module:: {module.__name__}",
            "",
            f"Module ``{module.__name__}``",
            "",
            *module.__doc__.splitlines(),
            "",
        ]
        for place, (name, kind) in enumerate(members(module, public).items()):
            if public and place == len(public):
                lines += [f".. rubric:: Also in {module.__name__}", ""]
            lines += [*entry(module, name, kind), ""]
        return parsed(self, lines)


class Names(SphinxDirective):
    """The public names of some modules, each with its first sentence."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        known, listed = homes(), nodes.definition_list(classes=["lmtune-names"])
        for module in self.arguments[0].split():
            lines = [f".. py:currentmodule:: lmtune.{module}", ""]
            for name in known.get(module, ()):
                says = first_sentence(getattr(lmtune, name).__doc__)
                if not says:
                    raise self.error(f"lmtune.{name} has no docstring, so nothing can be said of it.")
                lines += [f":py:obj:`lmtune.{name}`", f"    {says}", ""]
            for made in parsed(self, lines):
                listed += made.children
        return [listed]


def show_as_public(app, domain, objtype, content):
    """Show the entry `lmtune.training.loop.fit` as `lmtune.fit`, and let both names find it."""
    if domain != "py":
        return
    for signature in content.parent.children[:-1]:
        module, full = signature.get("module") or "", signature.get("fullname", "")
        name = full.partition(".")[0]
        if module != f"lmtune.{lmtune._HOME.get(name)}":
            continue
        public = f"lmtune.{full}"
        app.env.get_domain("py").note_object(public, objtype, signature["ids"][0], aliased=True, location=signature)
        for prefix in signature.findall(addnodes.desc_addname):
            shown = prefix.astext().replace(f"{module}.", "lmtune.")
            prefix.clear()
            prefix += nodes.Text(shown)


def read_sections(app, what, name, value, options, lines):
    """Read the sections "Args:" and "Raises:" of functions and classes.

    The napoleon extension itself would take "Passes over the data: one by default",
    said of an attribute, for a type and its description.
    """
    if what in ("function", "method", "class"):
        lines[:] = GoogleDocstring(lines, what=what, name=name).lines()


def find_elsewhere(app, env, node, contnode):
    """Look for a name where its module has it from: another module, or another library."""
    name, module = node["reftarget"].rpartition(".")[2], node.get("py:module")
    if node.get("refdomain") != "py" or not name or not module:
        return None
    domain = env.get_domain("py")
    found = {
        full
        for full, other in domain.objects.items()
        if not other.aliased and full.endswith(f".{name}") and full.rpartition(".")[0] in domain.modules
    }
    if len(found) == 1:
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found.pop(), node, contnode)
    code = ModuleAnalyzer.for_module(module).code
    foreign = re.search(rf"^ *from (?!lmtune)[\w.]+ import .*\b{name}\b", code, re.MULTILINE)
    return contnode if foreign else None


def list_only_shown_sources(app):
    """Keep modules without a source, such as builtins, off the list of sources, which links to each."""
    known = getattr(app.env, "_viewcode_modules", {})
    for module in [module for module, source in known.items() if not source]:
        del known[module]
    return []


def setup(app):
    app.add_directive("api", Api)
    app.add_directive("names", Names)
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("object-description-transform", show_as_public)
    app.connect("missing-reference", find_elsewhere)
    app.connect("html-collect-pages", list_only_shown_sources, priority=100)  # before viewcode lists them
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
