"""What must hold of one open page of the book; used by book.browser."""

import gzip
from importlib.resources import files

#: Bytes, compressed, that a reader waits for when a page is opened for the first time.
HEAVIEST = 1_000_000
#: WCAG 2.2 at level AA, and what Deque's axe calls best practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIOLATIONS = """rules => axe.run(document, {runOnly: rules, preload: false}).then(found => found.violations.map(
    rule => rule.id + ' (' + rule.nodes.length + ', the first: ' + rule.nodes[0].html.slice(0, 80) + ')'))"""

UNTYPESET = """() => [...document.querySelectorAll('.math')]
    .filter(el => !el.querySelector('mjx-container') || el.querySelector('mjx-merror, [data-mjx-error]'))
    .map(el => el.textContent.slice(0, 40))"""
WITHOUT_ALT = """() => [...document.images].filter(el => !(el.getAttribute('alt') || '').trim())
    .map(el => el.src.slice(0, 60))"""
UNLOADED = """() => [...document.images].filter(el => el.complete && !el.naturalWidth
    && el.offsetParent !== null).map(el => el.alt.slice(0, 60))"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# In dark mode a figure is inverted, and no light plate lies behind it.
PLATES = """() => [...document.querySelectorAll('.lmtune-figure img, .lmtune-explorer img')].filter(img => {
    const plate = img.closest('.text_html');
    const ground = plate ? getComputedStyle(plate).backgroundColor : 'rgba(0, 0, 0, 0)';
    return !getComputedStyle(img).filter.includes('invert') || ground !== 'rgba(0, 0, 0, 0)';
}).length"""
# What a reader sees of an explorer apart from its controls' own values.
FRAME = """el => {
    const frames = el.querySelector('.lmtune-frames') || el;
    const images = [...frames.querySelectorAll('img, svg')].filter(part => part.getClientRects().length);
    return frames.innerText + images.map(part => part.src || part.outerHTML).join('|');
}"""
# For the list that chooses which parameter varies, it is the visible controls.
CONTROLS = """el => [...el.querySelectorAll('label')].filter(part => part.getClientRects().length)
    .map(part => part.textContent).join('|')"""


def inspect_page(page, where, scheme, tally):
    """Check mathematics, images, width, dark figures, quiz and explorers of a page."""
    if page.locator(".math").count():
        page.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
        page.evaluate("() => MathJax.startup.promise.then(() => true)")
        untypeset = page.evaluate(UNTYPESET)
        tally(not untypeset, f"{where}: mathematics not typeset: {untypeset}")
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    violations = page.evaluate(VIOLATIONS, RULES)
    tally(not violations, f"{where}: axe finds {'; '.join(violations)}")
    choices = page.locator("details.lmtune-choice")
    if choices.count():
        choices.first.locator("summary").press("Enter")
        tally(choices.first.get_attribute("open") is not None, f"{where}: the keyboard opens no choice of the quiz")
    page.evaluate("() => document.querySelectorAll('details').forEach(part => part.open = true)")
    nameless = page.evaluate(WITHOUT_ALT)
    tally(not nameless, f"{where}: images without alternative text: {nameless}")
    unloaded = page.evaluate(UNLOADED)
    tally(not unloaded, f"{where}: images that do not load: {unloaded}")
    over = page.evaluate(OVERFLOW)
    tally(over <= 0, f"{where}: the page is {over} px wider than the window")
    if scheme == "dark":
        plates = page.evaluate(PLATES)
        tally(not plates, f"{where}: {plates} figure(s) keep a light ground")
    for number, explorer in enumerate(page.locator(".lmtune-explorer").all(), start=1):
        try_explorer(explorer, f"{where}: explorer {number}", tally)


def try_explorer(explorer, where, tally):
    """Every control must change what is shown, by keyboard and by mouse."""
    pick = explorer.locator("select[data-pick]")
    views = 1
    if pick.count():
        views = pick.locator("option").count()
        tally(by_keyboard(explorer, pick, CONTROLS), f"{where}: the keyboard cannot choose what varies")
        tally(by_mouse(explorer, pick, CONTROLS), f"{where}: the mouse cannot choose what varies")
    for view in range(views):
        if pick.count():
            pick.select_option(index=view)
        controls = explorer.locator("input[type=range]:visible, select:not([data-pick]):visible").all()
        tally(bool(controls), f"{where} has no control")
        for number, control in enumerate(controls, start=1):
            named = control.evaluate("el => !!(el.labels && el.labels.length) || el.hasAttribute('aria-label')")
            at = f"{where}, control {view + 1}.{number}"
            tally(named, f"{at} has no label")
            tally(by_keyboard(explorer, control), f"{at}: the keyboard changes nothing")
            tally(by_mouse(explorer, control), f"{at}: the mouse changes nothing")


def by_keyboard(explorer, control, shown=FRAME):
    """Press an arrow, the other way when the control stands at its end."""
    before = explorer.evaluate(shown)
    at_end = control.evaluate("""el => el.tagName === 'SELECT'
        ? el.selectedIndex === el.options.length - 1 : Number(el.value) >= Number(el.max)""")
    control.focus()
    control.press("ArrowLeft" if at_end else "ArrowRight")
    return explorer.evaluate(shown) != before


def by_mouse(explorer, control, shown=FRAME):
    """Drag a slider from one end to the other, or choose another option."""
    if control.evaluate("el => el.tagName") == "SELECT":
        # The list of a select is drawn by the system, where no click can reach.
        before = explorer.evaluate(shown)
        control.select_option(index=control.evaluate("el => el.selectedIndex ? 0 : el.options.length - 1"))
        return explorer.evaluate(shown) != before
    control.scroll_into_view_if_needed()
    box, mouse = control.bounding_box(), control.page.mouse
    height = box["y"] + box["height"] / 2
    mouse.click(box["x"] + 3, height)
    before = explorer.evaluate(shown)
    mouse.move(box["x"] + 3, height)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2, height, steps=4)
    mouse.move(box["x"] + box["width"] - 3, height, steps=4)
    mouse.up()
    return explorer.evaluate(shown) != before


def weight(folder, paths):
    """Bytes of files of the built book, each compressed as a server would send it."""
    return sum(len(gzip.compress((folder / path).read_bytes())) for path in set(paths))
