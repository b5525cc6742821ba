"""A seed is made that nobody guesses, and what was there is not lost."""

import stat

import pytest

from lmtune.cli.main import main
from lmtune.grading.policy import policy
from lmtune.grading.release import release
from lmtune.grading.seed import fresh, settle, weakness

EXAMPLE = '# How a class is graded\nhomework = "double"\nseed = "change-me"  # your own\n\n[late]\nper_day = 0.2\n'


@pytest.fixture
def instructor(tmp_path):
    (tmp_path / "instructor").mkdir()
    (tmp_path / "instructor" / "grading.toml").write_text(EXAMPLE)
    return tmp_path / "instructor"


def test_seeds_are_strong_and_never_the_same():
    made = {fresh() for _ in range(1000)}
    assert len(made) == 1000 and not any(map(weakness, made)) and {len(seed) for seed in made} == {64}


@pytest.mark.parametrize(
    "seed", ["", "s", "autumn-2026", "a" * 40, "abc" * 20, "2026-11-30" * 5, "hidden-inputs-of-our-homework-2026"]
)
def test_weak_seeds_are_told(seed):
    assert weakness(seed)


def test_a_new_grading_file_is_made_from_the_example(instructor, tmp_path):
    path = tmp_path / "private.toml"
    assert "was written into" in settle(path, instructor)
    found = policy(path)
    assert (found.homework, found.per_day) == ("double", 0.2) and not weakness(found.seed)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (instructor / "grading.toml").read_text() == EXAMPLE
    before = path.read_text()
    assert "stays" in settle(path, instructor) and path.read_text() == before


def test_change_me_is_replaced_and_the_rest_stays(instructor):
    path = instructor / "grading.toml"
    settle(path, instructor)
    kept = [line for line in path.read_text().splitlines() if not line.startswith("seed")]
    assert kept == [line for line in EXAMPLE.splitlines() if not line.startswith("seed")]
    assert not weakness(policy(path).seed)


def test_a_file_without_a_seed_gets_one(instructor):
    path = instructor / "grading.toml"
    path.write_text('homework = "double"\n[late]\nper_day = 0.2\n')
    settle(path, instructor)
    assert policy(path).per_day == 0.2


def test_a_weak_seed_stays_with_a_warning(instructor):
    path = instructor / "grading.toml"
    path.write_text(EXAMPLE.replace("change-me", "autumn-2026"))
    assert "autumn-2026" in path.read_text() and "write 'change-me'" in settle(path, instructor)
    assert "autumn-2026" in path.read_text()


def test_the_seed_never_goes_out_with_the_release(instructor, tmp_path):
    with pytest.raises(ValueError, match="holds the seed"):
        release(tmp_path, instructor, tmp_path / "out", tmp_path / "out" / "grading.toml")
    assert not (tmp_path / "out").exists()


def test_the_command_makes_the_seed(tmp_path, capsys):
    from book.cells.places import ROOT

    path = tmp_path / "grading.toml"
    arguments = [f"--instructor={ROOT / 'instructor'}", f"--notebooks={ROOT / 'chapters' / 'homework'}"]
    before = (ROOT / "instructor" / "grading.example.toml").read_text()
    assert main(["release", f"--out={tmp_path / 'out'}", f"--settings={path}", *arguments]) == 0
    assert f"a random seed was written into {path}" in capsys.readouterr().out
    seed = policy(path).seed
    assert not any(seed.encode() in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file() and one != path)
    assert (ROOT / "instructor" / "grading.example.toml").read_text() == before
