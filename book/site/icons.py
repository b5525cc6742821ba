"""Keep of the theme's icon font only what the pages show: fifteen icons of 1,400, 150 kB less to load."""

import re

from fontTools import subset

FONT = "fa-solid-900.woff2"
RULE = re.compile(r'([^{}]*)\{[^{}]*?content:\s*"(\\[0-9a-f]{2,5}|\\?[^"])"')
NAME = re.compile(r"\bfa-[a-z0-9-]+")
# Scripts that name an icon when they need it; the font's own script names them all.
SCRIPTS = ("_static/*.js", "_static/scripts/[!f]*.js")


def used(folder):
    """The code points of the icons that the pages and the scripts of the built book name."""
    files = [page for page in folder.rglob("*.html") if not page.relative_to(folder).parts[0].startswith("_")]
    files += [script for pattern in SCRIPTS for script in folder.glob(pattern)]
    names = {name for file in files for name in NAME.findall(file.read_text("utf-8"))}
    sheets = [*folder.glob("_static/*.css"), *folder.glob("_static/styles/*.css")]
    points = set()
    for sheet in sheets:
        for selector, point in RULE.findall(sheet.read_text("utf-8")):
            named = set(NAME.findall(selector))
            if not named or named & names:  # a rule without a name draws its icon wherever it matches
                points.add(int(point[1:], 16) if len(point) > 2 else ord(point[-1]))
    return points


def shrink(folder):
    """Write the font anew with these icons alone, beside nothing else: the style sheets name its path."""
    points = used(folder)
    if not points:
        raise RuntimeError("no page names an icon: the theme has changed, and book/icons.py must follow")
    for path in folder.rglob(FONT):
        options = subset.Options(flavor="woff2", layout_features=[])
        font = subset.load_font(path, options)
        chooser = subset.Subsetter(options)
        chooser.populate(unicodes=points)
        chooser.subset(font)
        subset.save_font(font, path, options)
