"""Blocks of a page that open: a question to predict, and a mistake of tutorials with its source.

In a Markdown cell of the source they are fenced:

    ```predict                          ```mistake source="title, place, date"
    The question, one paragraph.        What is done, as a title.
    ---
    The answer, any Markdown.           What is wrong with it, any Markdown.
    ```                                 ```

Text that itself holds a fence stands between four backticks. Both become HTML that folds in the page, in Jupyter
and in Colab without a script. Code that measures a mistake follows as a folded cell, for no cell can stand in a text.
"""

import re

from docutils.nodes import make_id
from markdown_it import MarkdownIt

BLOCK = re.compile(r"^(`{3,})(predict|mistake)\b[ \t]*(.*?)[ \t]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
SOURCE = re.compile(r'source="([^"]+)"')
ANSWER = re.compile(r"^---[ \t]*$", re.MULTILINE)
SEEN = "<strong>Seen in tutorials:</strong> "
#: A mistake in a derived notebook: its anchor, its title as HTML, its first paragraph, and where it was found.
MISTAKE = re.compile(
    rf'^<details class="lmtune-mistake" id="(?P<anchor>[\w-]+)">\n<summary>{SEEN}(?P<title>.*)</summary>\n\n'
    r"(?P<first>.+?)(?:\n\n(?:(?!</details>).)*?)?(?P<source>\n\n\*Seen in: [^\n]+)\n\n</details>",
    re.MULTILINE | re.DOTALL,
)
INLINE = MarkdownIt("commonmark", {"html": False})


def fill(cell):
    """Give the blocks of a Markdown cell their form; ValueError says what one lacks."""
    makers = {"predict": predict, "mistake": mistake}
    cell.source = BLOCK.sub(lambda found: makers[found[2]](found[3], found[4].strip()), cell.source)


def predict(given, text):
    """A question whose answer is folded."""
    question, *answer = ANSWER.split(text, maxsplit=1)
    if given or not question.strip() or not answer or not answer[0].strip():
        raise ValueError(
            f"a block to predict needs a question, a line ---, and an answer, and nothing behind its name; "
            f"it reads: {(given + text)[:60]!r}"
        )
    return details('class="lmtune-predict"', f"<strong>Predict:</strong> {line(question)}", answer[0].strip())


def mistake(given, text):
    """A mistake that was found in teaching material, with where it was found."""
    title, _, told = text.partition("\n")
    source = SOURCE.fullmatch(given)
    if not source or source[1].count(",") < 2 or not re.search(r"\b(?:19|20)\d\d\b", source[1]):
        raise ValueError(
            f"the mistake {title[:60]!r} names no source that a reader can look up; write "
            '```mistake source="title, place, date", with the year'
        )
    if not title.strip() or not told.strip():
        raise ValueError(f"the mistake {title[:60]!r} needs a title on its first line and a text below it")
    anchor = make_id(f"mistake-{title}")
    where = f"*Seen in: {source[1]}.*"
    return details(f'class="lmtune-mistake" id="{anchor}"', SEEN + line(title), f"{told.strip()}\n\n{where}")


def line(text):
    """Markdown as HTML for a summary, in which no Markdown is read and no mathematics typeset."""
    text = " ".join(text.split())
    if "$" in text:
        raise ValueError(f"mathematics is not typeset in a line that opens; say it in words: {text[:60]!r}")
    return INLINE.renderInline(text)


def details(attributes, summary, text):
    """A fold whose text is Markdown."""
    return f"<details {attributes}>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"
