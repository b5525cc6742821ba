"""What a built page in the new form must keep to, measured in an open browser with all folds closed."""

from book.cells.form import MOST_LINES

WIDTH = 1280
MOST_WORDS = 3500
HEAD = ".lmtune-head"
#: Words of the article alone: no navigation, no buttons, and mathematics as it is seen, not as it is read aloud.
WORDS = """() => {
    const article = document.querySelector('.bd-article');
    const aside = [...article.querySelectorAll('mjx-assistive-mml, .headerlink, button, .prev-next-footer')];
    aside.forEach(part => part.style.setProperty('display', 'none', 'important'));
    const words = article.innerText.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)).length;
    aside.forEach(part => part.style.removeProperty('display'));
    return words;
}"""
#: Each block of code in sight: how it begins, by how many pixels it is cut off, and its lines that are not blank.
CODE = """() => [...document.querySelectorAll('.bd-article .highlight pre')]
    .filter(part => !part.closest('.cell_output, details:not([open])'))
    .map(part => [part.innerText.trim().slice(0, 50), part.scrollWidth - part.clientWidth,
        part.innerText.split('\\n').filter(line => line.trim()).length])"""


def problems(page):
    """A sentence for each thing that the open page shows and may not; none for a page without a head."""
    if not page.locator(HEAD).count():
        return []
    found = []
    words = page.evaluate(WORDS)
    if words > MOST_WORDS:
        found.append(f"{words} words are in sight, more than {MOST_WORDS}: make two pages of it")
    for begins, over, lines in page.evaluate(CODE):
        if over > 1:
            found.append(f"the code that begins with {begins!r} is cut off by {over} px")
        if lines > MOST_LINES:
            found.append(f"the code that begins with {begins!r} shows {lines} lines, more than {MOST_LINES}")
    return found
