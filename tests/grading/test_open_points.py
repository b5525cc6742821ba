"""Points for open answers are read as they were meant, or refused by line; no cell is a formula."""

import csv
import io

import pytest

from lmtune.grading.csv_files import cell, read, written
from lmtune.grading.open_points import empty_table, open_points

IDS = ["ada", "bo", "=cy", "a;-b"]


def given(tmp_path, text, most=2):
    path = tmp_path / "open.csv"
    path.write_text(text, encoding="utf-8")
    return open_points(path, IDS, most)


@pytest.mark.parametrize(
    "text",
    [
        "id,points,comment\nada,1.5,well\nbo,,\n",
        "\ufeffid;part;points;comment\r\nada;open question;1,5;well\r\nbo;;;\r\n",
        "ID\tPoints\tComment\nada\t1.5\twell\n\nbo\t\t\n",
        'id,name,points,comment\nada,"Example, Ada","1,5",well\nbo,,,\n',
    ],
)
def test_every_spreadsheets_way_is_read(tmp_path, text):
    assert given(tmp_path, text) == {"ada": {"points": 1.5, "comment": "well"}, "bo": {"points": None, "comment": ""}}


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "has the columns none; it needs a column id"),
        ("name,points\nada,1\n", "it needs a column id"),
        ("id,marks\nada,1\n", "it needs a column points"),
        ("id,points,coment\nada,1,x\n", "a column 'coment'; there are"),
        ("id,points,points\nada,1,2\n", "two columns points"),
        ("id,points\nada,nan\n", "line 2: the points are 'nan'"),
        ("id,points\nada,inf\n", "line 2: the points are 'inf'"),
        ("id,points\nbo,1\nada,one\n", "line 3: the points are 'one'; write a number or nothing"),
        ("id,points\nada,-1\n", "the rubric gives 0 to 2"),
        ("id,points\nada,2.5\n", "the rubric gives 0 to 2"),
        ("id,points\neve,1\n", "line 2: there is no student 'eve' on the roster"),
        ("id,points\nada,1\nada,2\n", "line 3: 'ada' stands here a second time"),
        ("id,part,points\nada,essay,1\n", "there is no part 'essay'; it is called 'open question'"),
        ("id,points,comment\nada,1,5,x\n", "line 2: it has 4 cells, and the first line has 3"),
        ("id,points,comment\nada\n", "line 2: it has 1 cells, and the first line has 3"),
        ('id,points\nada,"1\n', "this is no CSV"),
        ("id,points\n" + "eve,1\n" * 30, "and 20 more"),
    ],
)
def test_every_wrong_line_is_refused(tmp_path, text, words):
    with pytest.raises(ValueError, match="open.csv.*") as error:
        given(tmp_path, text)
    assert words in str(error.value)


def test_a_file_that_is_no_text_is_a_sentence(tmp_path):
    (tmp_path / "open.csv").write_bytes("id,points\nJos\xe9,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8"):
        open_points(tmp_path / "open.csv", IDS, 2)


def test_the_empty_table_comes_back_with_every_id(tmp_path):
    text = empty_table(IDS).replace("open question,,", "open question,1,")
    assert {name: row["points"] for name, row in given(tmp_path, text).items()} == dict.fromkeys(IDS, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        " =1",
        "\t=1",
        "\r=1",
        "'=1",
        '"=1',
        ";=1",
        "x;=1",
        "x\t=1",
        "x,@y",
        "|-1",
        "＝1",
        "\x00=1",
    ],
)
def test_no_cell_is_a_formula_whatever_separates_it(text):
    made = written([{"a": "first", "b": text}])
    for delimiter in (",", ";", "\t", "|"):
        for row in csv.reader(io.StringIO(made), delimiter=delimiter):
            for one in row:
                assert one.strip(' "')[:1] not in tuple("=+-@＝＋－＠\t\r"), (delimiter, one)
                assert one.lstrip(" '\"")[:1] not in tuple("=+-@") or one.strip(' "')[:1] == "'"


def test_numbers_stay_and_what_is_long_is_cut_in_words():
    assert cell(-1.5) == -1.5
    assert cell("x" * 5000) == "x" * 2000 + " ... (3000 more characters)"
    assert cell("a\nb\x1b[2J") == "a b [2J"


def test_a_roster_may_have_short_lines_and_columns_of_its_own(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("id,name,room,,\nada\nbo,Bo,3,,\n")
    assert [row["name"] for _, row in read(path, "roster", ["id"])] == ["", "Bo"]


def test_a_table_for_nobody_can_be_read_again(tmp_path):
    assert given(tmp_path, empty_table([])) == {}
    assert empty_table([]).split() == empty_table(["ada"]).split()[:1]
