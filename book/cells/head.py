"""The head of a page: what a reader will be able to do, what comes before it, and what it takes.

In the source it is a block in the cell of the title or in the next one, written as TOML:

    ```head
    able = ["write an exponential average of the weights", "say when it is worth having"]
    needs = ["[Learning rates](hyperparameter-tuning.ipynb)"]
    short = ["Why", "Ten lines"]
    ```

`able` are two to four lines, `needs` Markdown (none for a page that needs nothing), and `short` the titles of the
sections that a hurried reader takes. The minutes are not written: those of reading are counted (`reading`), those of
exercises are what the exercises of the page say of themselves. So each edit of the text may change them.
"""

import re

import nbformat
import tomllib

from book.cells import reading

BLOCK = re.compile(r"^```head[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
MARK = '<div class="lmtune-head">'
FIELDS = {"able", "needs", "short"}
HEADING = re.compile(r"^(#{1,6}) (.+?)[ \t]*$")


def fill(cells, exercises=()):
    """Give the head of a page its form, where it has one; `exercises` are the minutes of each exercise."""
    heads = [(place, BLOCK.search(cell.source)) for place, cell in enumerate(cells) if BLOCK.search(cell.source)]
    if not heads:
        return
    # The cell that installs on Colab stands between the title and the rest.
    if len(heads) > 1 or heads[0][0] > 2:
        raise ValueError("a page has one head, in the cell of its title or in the next one")
    place, found = heads[0]
    given = read(found[1])
    cells[place].source = BLOCK.sub("", cells[place].source)
    text = html(given, reading.minutes(cells), sum(exercises), reading.minutes(path(cells, given["short"])))
    before, after = cells[place].source[: found.start()], cells[place].source[found.start() :]
    cells[place].source = before + text + after


def read(text):
    """The fields of a head; ValueError where one is missing or has another form."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the head of the page is no TOML: {error}") from None
    lists = all(isinstance(v, list) and all(isinstance(s, str) and s.strip() for s in v) for v in given.values())
    if set(given) != FIELDS or not lists:
        raise ValueError(f"the head of a page has the lists {', '.join(sorted(FIELDS))}, and this one {given}")
    if not 2 <= len(given["able"]) <= 4 or not given["short"]:
        raise ValueError(
            f"a head says in two to four lines what one will be able to do, and names a short path; this one has "
            f"{len(given['able'])} line(s) and {len(given['short'])} section(s)"
        )
    return given


def sections(cells):
    """The cells of a page split at headings: level, title, and the cells from there to the next heading."""
    found, fenced = [(0, "", [])], False
    for cell in cells:
        if cell.cell_type == "code":
            found[-1][2].append(cell)
            continue
        lines = []
        for line in cell.source.splitlines():
            fenced ^= line.startswith("```")
            heading = None if fenced else HEADING.match(line)
            if heading:
                found[-1][2].append(nbformat.v4.new_markdown_cell("\n".join(lines)))
                found.append((len(heading[1]), heading[2], []))
                lines = []
            lines.append(line)
        found[-1][2].append(nbformat.v4.new_markdown_cell("\n".join(lines)))
    return found


def path(cells, titles):
    """The cells of some sections, each with the sections below it; ValueError where one is not there."""
    taken, known = [], sections(cells)
    missing = set(titles) - {title for _, title, _ in known}
    if missing:
        raise ValueError(f"the short path of a page names sections that it does not have: {', '.join(sorted(missing))}")
    inside = 0  # the level of the section that is taken
    for level, title, part in known:
        if inside and level <= inside:
            inside = 0
        if not inside and title in titles:
            inside = level
        taken += part if inside else []
    return taken


def html(given, read_minutes, exercise_minutes, short_minutes):
    """The head as HTML around Markdown, which is read well without a style too."""
    able = "\n".join(f"- {line}" for line in given["able"])
    exercises = f", **{exercise_minutes} min** of exercises" if exercise_minutes else ""
    needs = f"\n\nYou need first: {', '.join(given['needs'])}" if given["needs"] else ""
    short = ", ".join(f"*{title}*" for title in given["short"])
    return (
        f"{MARK}\n<div>\n\n**You will be able to**\n\n{able}\n\n</div>\n<div>\n\n"
        f"**{whole(read_minutes)} min** to read{exercises}{needs}\n\n"
        f"Short path, {whole(short_minutes)} min: {short}\n\n</div>\n</div>"
    )


def whole(minutes):
    """Minutes as people say them, at least one."""
    return max(1, round(minutes))
