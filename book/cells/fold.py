"""Cells that are folded: the tag `fold` in the source, and what each place where a notebook is read needs for it.

Such a cell draws, tabulates, loads or proves. Its first line is a comment that says in one line what is inside; in
the page this line is what a reader clicks, in Colab the title of a form, and in Jupyter what stays in sight. Its
output is never folded.
"""

TAG = "fold"
#: Metadata that the folding brings, and that survives when a notebook is executed and normalised.
METADATA = ("mystnb", "cellView", "jupyter")
LONGEST = 88
TITLE = "# @title "


def fold(cell):
    """Give a cell with the tag the metadata of a folded one; ValueError where its first line does not say what it is."""
    tags = cell.metadata.get("tags", [])
    if TAG not in tags:
        return
    first, _, rest = cell.source.lstrip().partition("\n")
    says = first.removeprefix("#").strip()
    if not first.startswith("# ") or first.startswith(("# %", "# @")) or not says or not rest.strip():
        raise ValueError(
            f"a folded cell begins with {first[:60]!r}; its first line must be a comment that says in one line "
            "what is inside, such as '# Draws the losses of both runs', and code must follow"
        )
    if len(says) > LONGEST:
        raise ValueError(
            f"the line of a folded cell has {len(says)} characters, more than {LONGEST}: {says[:60]!r} ..."
        )
    cell.source = f"{TITLE}{says}\n{rest}"
    cell.metadata["tags"] = ["hide-input" if tag == TAG else tag for tag in tags]
    cell.metadata["mystnb"] = {"code_prompt_show": says, "code_prompt_hide": says}
    cell.metadata["cellView"] = "form"
    cell.metadata["jupyter"] = {"source_hidden": True}


def folded(cell):
    """Whether a reader of the page does not see a code cell's source until it is opened."""
    return bool({"hide-input", "hide-cell", "remove-cell", "remove-input"} & set(cell.metadata.get("tags", [])))
