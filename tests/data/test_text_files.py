"""A reader's own text: what is read, how it is held out, and how bad files are refused."""

import json
import time

import pytest

from lmtune.data.text_files import PASSAGE, Pair, hold_out, left_out, pieces, read


def lines(path, rows):
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows), "utf8"
    )
    return path


def test_a_text_file_is_one_document_whatever_its_name(tmp_path):
    path = tmp_path / "with blanks and ümlauts.whatever"
    path.write_bytes("\ufefffirst\r\nsecond".encode())
    assert read(path) == ["first\nsecond"]


def test_a_long_text_is_cut_where_paragraphs_end_and_nothing_is_lost(tmp_path):
    paragraphs = [f"{i} " + "word " * 400 + "end." for i in range(40)]
    (tmp_path / "long.txt").write_text("\n\n".join(paragraphs))
    passages = read(tmp_path / "long.txt")
    assert len(passages) > 3 and max(map(len, passages)) <= PASSAGE
    assert "\n\n".join(passages) == "\n\n".join(paragraphs)


def test_a_text_without_any_break_is_cut_anyway(tmp_path):
    (tmp_path / "a.txt").write_text("x" * (2 * PASSAGE + 5))
    assert [len(p) for p in read(tmp_path / "a.txt")] == [PASSAGE, PASSAGE, 5]


def test_json_lines_of_texts_and_of_pairs(tmp_path):
    texts = lines(tmp_path / "t.jsonl", [{"text": "eins", "id": 1}, "", {"text": "zwei\u2028drei"}, {"text": " "}])
    assert read(texts) == ["eins", "zwei\u2028drei"]
    pairs = lines(tmp_path / "p.jsonl", [{"prompt": "", "completion": "b"}])
    assert read(pairs) == [Pair("", "b")]


@pytest.mark.parametrize(
    "row, said",
    [
        ('{"text": "cut', "line 2 is not JSON"),
        ("[1]", "line 2 has list"),
        ({"txt": "a"}, r"line 2 has \['txt'\]"),
        ({"text": 3}, "line 2 has"),
        ({"prompt": "a"}, "each a string"),
        ({"prompt": "a", "completion": " "}, "empty completion"),
        ({"prompt": "a", "completion": "b"}, "line 2 holds prompts and completions and the lines before it texts"),
        ({"text": "a", "completion": "b"}, 'give "text" alone'),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, row, said):
    with pytest.raises(ValueError, match=said):
        read(lines(tmp_path / "a.jsonl", [{"text": "good"}, row]))


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path):
    for name, text in {"b.md": "B", "a/z.txt": "Z", ".git/c.txt": "no", "d.png": "no", "e.rst": "E"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read(tmp_path) == ["Z", "B", "E"]


def test_files_of_two_kinds_in_a_folder_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    lines(tmp_path / "b.jsonl", [{"prompt": "a", "completion": "b"}])
    with pytest.raises(ValueError, match="b.jsonl holds prompts and completions"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "holds no text"),
        (b" \n\t\n", "holds no text"),
        (b"PK\x03\x04\xff\x00", "not text in UTF-8.*byte 4 is 0xff"),
        (b"abc\x00def", "zero bytes"),
        ("über".encode("utf-16"), "not text in UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, said):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read(tmp_path / "a.txt")


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        read(tmp_path / "none")
    (tmp_path / "a.png").write_bytes(b"1")
    with pytest.raises(ValueError, match="holds 1 files and none that ends in .txt"):
        read(tmp_path)


def test_held_out_documents_are_chosen_by_content():
    documents = [f"document {i}" for i in range(50)]
    train, held_out = hold_out(documents, 0.1)
    assert len(held_out) == 5 and sorted(train + held_out) == sorted(documents)
    assert set(hold_out(documents[::-1], 0.1)[1]) == set(held_out)
    train, held_out = hold_out(documents + documents, 0.1)
    assert not set(train) & set(held_out)
    assert hold_out(documents, 0) == (documents, [])


def test_of_few_texts_the_ends_are_held_out():
    text = "\n\n".join("word " * 50 for _ in range(20))
    train, held_out = hold_out([text, text], 0.1)
    assert len(train) == len(held_out) == 2 and train[0] + "\n\n" + held_out[0] == text
    assert 0.05 < len(held_out[0]) / len(text) < 0.2
    assert hold_out([Pair("a", "b")] * 3, 0.1) == ([Pair("a", "b")] * 3, [])
    with pytest.raises(ValueError, match="share is 1"):
        hold_out(["a"], 1)


def test_a_file_in_pieces_gives_the_same_documents(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(f"{i} " + "wörd " * 40 for i in range(300)), "utf8")
    lines(tmp_path / "b.jsonl", [{"text": f"{i} ü " + "x" * (i % 50)} for i in range(500)])
    for file, size in ((path, 2000), (tmp_path / "b.jsonl", 700)):
        found = list(pieces(file, size))
        assert len(found) > 10 and found[0].begin == 0 and found[-1].end == file.stat().st_size
        assert all(a.end == b.begin for a, b in zip(found, found[1:]))
        whole, cut = list(next(pieces(file)).documents()), [d for piece in found for d in piece.documents()]
        assert "\n\n".join(whole).split() == "\n\n".join(cut).split()
        assert file.suffix == ".txt" or whole == cut
    text = tmp_path / "c.txt"
    text.write_text("ü" * 5000, "utf8")  # no border anywhere: between two characters
    assert "".join(d for piece in pieces(text, 999) for d in piece.documents()) == "ü" * 5000


def test_a_bad_line_far_into_a_file_has_its_own_number(tmp_path):
    path = lines(tmp_path / "a.jsonl", [{"text": "good"}] * 400 + ["{bad"])
    with pytest.raises(ValueError, match="a.jsonl line 401 is not JSON"):
        list(list(pieces(path, 500))[-1].documents())


def test_row_50_brackets_nested_without_end_are_no_json(tmp_path):
    lines(tmp_path / "b.jsonl", ['{"text": "a", "x": ' + "[" * 100_000 + "}"])
    with pytest.raises(ValueError, match="line 1 is not JSON .nested too deep"):
        read(tmp_path / "b.jsonl")


@pytest.mark.parametrize(
    "row, key", [({"text": "x \ud83d"}, "text"), ({"prompt": "a", "completion": "\udfff"}, "completion")]
)
def test_row_46_half_a_pair_of_surrogates_is_named_by_file_and_line(tmp_path, row, key):
    good = dict.fromkeys(row, "good")
    with pytest.raises(ValueError, match=f'a.jsonl line 2, "{key}", is no text that Unicode can store'):
        read(lines(tmp_path / "a.jsonl", [good, json.dumps(row)]))


def test_row_46_a_byte_that_is_no_utf8_is_named_by_file_and_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\ncaf\xe9\n")
    with pytest.raises(ValueError, match="a.txt is not text in UTF-8 .byte 11 is 0xe9, in line 3"):
        read(tmp_path / "a.txt")


def test_row_47_reading_takes_time_in_proportion_to_the_text(tmp_path):
    path, taken = tmp_path / "a.txt", []
    for size in (2_000_000, 8_000_000):
        path.write_text("a line of words\n" * (size // 16))
        began = time.process_time()
        read(path)
        taken.append(time.process_time() - began)
    assert taken[1] < 12 * taken[0]  # four times as much; 16 times when what is left was copied for each passage


def test_row_47_a_line_of_many_megabytes_comes_in_passages(tmp_path):
    text = "a line of words " * 60_000
    found = read(lines(tmp_path / "a.jsonl", [{"text": text}]))
    assert max(map(len, found)) <= 20_000 and sum(map(len, found)) > 0.99 * len(text)


def test_row_42_json_lines_are_known_by_their_content_and_in_capital_letters(tmp_path):
    for name in ("TRAIN.JSONL", "train.ndjson", "train.json", "train.txt"):
        assert read(lines(tmp_path / name, [{"text": "eins"}, {"text": "zwei"}])) == ["eins", "zwei"]
    (tmp_path / "list.json").write_text('[{"text": "eins"}]')
    with pytest.raises(ValueError, match="list.json is JSON of another form; give a .jsonl file"):
        read(tmp_path / "list.json")
    (tmp_path / "prose.txt").write_text("{curly} is how some prose begins")
    assert read(tmp_path / "prose.txt") == ["{curly} is how some prose begins"]


def test_row_42_what_of_a_folder_is_not_read_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.txt").write_text("B")
    (tmp_path / "in" / "NOTES.TXT").write_text("A")
    (tmp_path / "in" / "thesis.doc").write_text("C")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path / "in") == ["A"]
    assert [p.name for p in left_out(tmp_path / "in")] == ["link", "thesis.doc"]
