"""The page on which open answers are marked: students cannot write into it, and what is typed there is read back."""

import base64
import csv
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from types import SimpleNamespace

import hostile
import pytest
from test_grading import needs_sandbox, results, settle, write_roster

from lmtune.grading import grade, open_answers

HOMEWORK = SimpleNamespace(
    title="Doubling <it>", question="Why & how?", rubric=[(2, "says why"), (1, 'says "how"')], open_points=3
)
EVIL = "</pre></article><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202e\ud800\0"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def written(out, answers, table="id,points,comment\nada,,\nbo,,\n", names=None):
    """The page of a class, and the text of its file."""
    (out / "open.csv").write_bytes(table.encode())
    marks = [{"id": one, "name": (names or {}).get(one, "")} for one in answers]
    path = open_answers.write(out, HOMEWORK, [{"open": answer} for answer in answers.values()], marks)
    assert path == out / "open.html"
    text = path.read_text("utf-8")
    return Tags(text), text


def rows(page):
    return [json.loads(a["data-row"]) for tag, a in page.tags if "data-row" in a]


def test_all_answers_stand_on_one_page_with_a_field_each(tmp_path):
    page, _ = written(tmp_path, {"ada": "Because.", "bo": None}, names={"ada": "Ada Example"})
    for words in ("Doubling <it>", "Why & how?", "2 points: says why", '1 points: says "how"', "ada, Ada Example"):
        assert words in page.text
    assert "Because." in page.text and "Without an answer: bo." in page.text
    (points,) = page.of("input")
    assert (points["min"], points["max"], points["value"]) == ("0", "3", "")
    assert len(page.of("article")) == len(page.of("textarea")) == 1
    assert rows(page) == [["ada", "", ""], ["bo", "", ""]], "a line of the file for everybody"


def test_points_with_a_comma_are_shown_as_a_browser_shows_numbers(tmp_path):
    page, _ = written(tmp_path, {"ada": "Because."}, "id;points;comment\nada;1,5;fine, thanks\n")
    assert page.of("input")[0]["value"] == "1.5" and "fine, thanks" in page.text


def test_nothing_that_a_student_wrote_becomes_a_tag(tmp_path):
    plain, _ = written(tmp_path, {"ada": "x", "bo": "y"})
    page, text = written(
        tmp_path,
        {"ada": EVIL, "bo": "y"},
        f'id,points,comment\nada,,"{EVIL[:60]}"\nbo,,\n',
        names={"ada": EVIL, "bo": EVIL},
    )
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert "\u202e" not in text and "\0" not in text and "onerror" in page.text


def test_the_policy_lets_this_script_run_and_nothing_else(tmp_path):
    _, text = written(tmp_path, {"ada": EVIL})
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#x27;", "'")
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        inside = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';") and "form-action 'none'" in policy
    assert not re.search(r"(?:src|href)=[\"']?(?!x\b)|url\(|@import|https?:", text.replace("&#x27;", "'"))


def test_points_that_are_there_are_shown_again_and_the_columns_are_kept(tmp_path):
    table = 'id,part,points,comment\n\'=ada,open,1.5,"a, b"\nbo,open,,\nold,open,2,left\n'
    page, _ = written(tmp_path, {"=ada": "x", "bo": "y", "new": "z"}, table)
    assert [field["value"] for field in page.of("input")] == ["1.5", "", ""]
    assert json.loads(page.of("form")[0]["data-columns"]) == ["id", "part", "points", "comment"]
    assert rows(page) == [
        ["'=ada", "open", "1.5", "a, b"],
        ["bo", "open", "", ""],
        ["old", "open", "2", "left"],
        ["new", "open", "", ""],
    ]


def test_a_file_from_a_spreadsheet_is_read_and_another_is_refused(tmp_path):
    page, _ = written(tmp_path, {"ada": "x"}, "\ufeffid;points;comment\r\nada;2;\r\n")
    assert page.of("input")[0]["value"] == "2"
    with pytest.raises(ValueError, match=r"open\.csv has the columns name, grade; it needs a column id"):
        written(tmp_path, {"ada": "x"}, "name,grade\nada,1\n")


def test_two_students_of_one_id_are_left_out_and_a_long_answer_is_cut(tmp_path):
    (tmp_path / "open.csv").write_text("id,points,comment\n")
    marks = [{"id": "twin", "name": "a"}, {"id": "twin", "name": "b"}, {"id": "ada", "name": ""}]
    records = [{"open": "of whom?"}, {"open": "of whom?"}, {"open": "w" * (open_answers.LONGEST + 1000)}]
    page = Tags(open_answers.write(tmp_path, HOMEWORK, records, marks).read_text("utf-8"))
    assert "of whom?" not in page.text and rows(page) == [["ada", "", "", "", ""]]
    assert "goes on for 1,000 characters" in page.text and page.text.count("w" * open_answers.LONGEST) == 1


def answer(text):
    made = json.loads(hostile.notebook(hostile.HONEST))
    made["cells"].append({"cell_type": "markdown", "metadata": {}, "source": f"**Your answer:**\n\n{text}"})
    return json.dumps(made)


@pytest.fixture
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])


@needs_sandbox
def test_points_that_are_typed_in_a_browser_are_read_back(tmp_path, browser):
    given = settle(tmp_path)
    texts = {"ada": "Because.", "bo": EVIL[:-2], "=cy": "=1+1", "di": "later"}
    for name, text in texts.items():
        (given["folder"] / f"{name}.ipynb").write_text(answer(text))
    write_roster(given["roster"], [[n, f"Student {n}"] for n in [*texts, "eve"]])
    grade.grade(**given, say=lambda text: None)
    page = browser.new_page(viewport={"width": 375, "height": 800}, color_scheme="dark")
    told = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto((given["out"] / "open.html").as_uri())
    assert page.title() == "Open answers: Doubling" and page.locator("img").count() == 0
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), "wider than a telephone"
    of = {name: page.locator("article").nth(i) for i, name in enumerate(texts)}
    of["ada"].get_by_label("Points").fill("1.5")
    of["ada"].get_by_label("Comment").fill('Good, "clear";\nall of it')
    of["bo"].get_by_label("Points").fill("7")
    of["=cy"].get_by_label("Points").fill("2")
    of["=cy"].get_by_label("Comment").fill("=1+1")
    page.get_by_role("button").click()
    assert "Not saved yet" in page.get_by_role("status").inner_text(), "7 of 2 points were saved"
    of["bo"].get_by_label("Points").fill("0")
    with page.expect_download() as download:
        page.get_by_role("button").click()
    assert "3 of 4 marked. Saved" in page.get_by_role("status").inner_text() and told == []
    assert download.value.suggested_filename == "open.csv"
    download.value.save_as(given["out"] / "open.csv")
    grade.grade(**given, say=lambda text: None)
    read = results(given["out"])
    assert [read[n]["open question"] for n in [*texts, "eve"]] == ["1.5", "0.0", "2.0", "", ""]
    assert read["ada"]["comment"] == 'Good, "clear"; all of it'
    assert read["=cy"]["comment"].startswith("'") and read["=cy"]["comment"].lstrip("'") == "=1+1"
    again = Tags((given["out"] / "open.html").read_text("utf-8"))
    assert [field["value"] for field in again.of("input")] == ["1.5", "0", "2", ""]
    with open(given["out"] / "open.csv", encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["id", "ada", "bo", "'=cy", "di", "eve"]
