"""Finish the built pages: what the theme loads for nothing goes, and what it leaves out for some readers comes.

The theme brings its icons twice, as a font and as a script of half a megabyte (compressed) that draws the
same ones; the font stays.  MathJax stays on pages with mathematics.  The sidebar is a landmark, its arrows
have a name, and a signature's parameters are a list that a screen reader counts.  A folded cell is read
aloud by the line that says what is in it, not as "Toggle hidden content", and does not say it twice.  A
claim that held is marked, for it is what a reader looks for.  Pictures are written as text: base64 hides
from a server's compression that an explorer's frames are nearly the same, and doubles what is sent.
"""

import base64
import re
from urllib.parse import quote

ICONS = re.compile(r'\s*<script[^>]*\bsrc="[^"]*fontawesome\.js[^"]*"[^>]*>\s*</script>')
MATHJAX = re.compile(r'\s*<script[^>]*\bsrc="[^"]*mathjax/[^"]*"[^>]*>\s*</script>')
MATHEMATICS = re.compile(r'class="[^"]*\b(?:math|tex2jax_process)\b|\\\(|\\\[|\$\$')
SIDEBAR = re.compile(r'(<div id="pst-primary-sidebar")(?= class=)')
FOLD = re.compile(r'<summary aria-label="Toggle hidden content">')
FOLD_TITLE = re.compile(r'<span class="c1"># @title [^<]*</span>\n')
ARROW = re.compile(r'<summary>(?=<span class="toctree-toggle")')
CLAIM = re.compile(r"(?:^|(?<=<span></span>))claim holds: ([^<\n]*)$", re.MULTILINE)
PICTURE = re.compile(r"(?<=src=\")data:image/svg\+xml;base64,([A-Za-z0-9+/]+=*)")
PARAMETERS = re.compile(r"<dl>\s*((?:<dd>(?:(?!<dl|</dl>).)*?</dd>\s*)+)</dl>", re.DOTALL)


def finish(html):
    """One page, finished."""
    html = ICONS.sub("", html)
    if not MATHEMATICS.search(html):
        html = MATHJAX.sub("", html)
    html = SIDEBAR.sub(r'\1 role="complementary" aria-label="The book"', html)
    html = FOLD_TITLE.sub("", FOLD.sub("<summary>", html))
    html = ARROW.sub('<summary aria-label="Pages of this part">', html)
    html = CLAIM.sub(r'<span class="lmtune-claim">claim holds: \1</span>', html)
    html = PICTURE.sub(_as_text, html)
    return PARAMETERS.sub(_as_list, html)


def _as_text(found):
    try:
        svg = base64.b64decode(found[1]).decode("utf-8")
    except ValueError:  # no picture of ours
        return found[0]
    return "data:image/svg+xml," + quote(svg, safe=" !()*+,-./:;=?@_~")


def _as_list(found):
    items = found[1].replace("<dd>", "<li>").replace("</dd>", "</li>")
    return f'<ul class="lmtune-parameters">{items}</ul>'


def finish_all(folder):
    """Every page of the built book; the theme's own templates are left alone."""
    for path in folder.rglob("*.html"):
        if not path.relative_to(folder).parts[0].startswith("_"):
            path.write_text(finish(path.read_text("utf-8")), "utf-8")
