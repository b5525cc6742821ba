"""The protocol of studies: what is fixed, tuned, kept apart, repeated and judged."""

import json
import math
import signal
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from studies_made_up import TEXTS, design, run

from lmtune.chapters import Study
from studies import protocol, record, runs
from studies.design import Arm, Design, Seeds, Sentence


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(protocol, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(record, "FOLDER", tmp_path / "chapters")
    return tmp_path / "kept" / "made_up" / "study"


def made(asked=None, run=run):
    path = protocol.conduct(asked or design(), run, lambda: TEXTS, processes=0)
    return Study(json.loads(path.read_text("utf-8")))


def test_every_arm_is_tuned_to_its_best_and_reported_apart(kept):
    study = made()
    assert study.best("plain") == {"lr": 8e-4}
    assert study.best("helps") == {"lr": 8e-4, "strength": 0.081}
    assert study.found("helps")["stands"] == {"lr": "interior", "strength": "interior"}
    assert study.best("harms")["strength"] == 0 and study.found("harms")["stands"]["strength"] == "nothing"
    assert study.found("usual")["tried"][0]["losses"] == [pytest.approx(2.26, abs=0.2)] * 2
    jobs = [json.loads(json.loads(line)["job"]) for line in next(kept.glob("*.jsonl")).read_text().splitlines()]
    choosing = {(part, seed) for _, _, seed, _, part in jobs}
    assert choosing == {("choosing", s) for s in (100, 101, 300, 301)} | {
        ("reporting", s) for s in (*range(6), *range(200, 206))
    }
    assert len(study.losses("helps")) == 6 and len(study.losses("helps", 40)) == 5
    assert study.losses("plain", of="distance") == [pytest.approx(8e-3)] * 6


def test_sentences_hold_where_both_runs_and_the_budgets_bear_them_out(kept):
    study = made()
    assert {one: study.sentence(one)["holds"] for one in ("helps", "harms", "rate", "alike")} == {
        "helps": True, "harms": False, "rate": True, "alike": True,
    }  # fmt: skip
    assert study.sentence("helps")["first"]["difference"] == pytest.approx(-0.2, abs=0.03)
    assert study.over() == "6 draws" and study.over(40) == "5 draws"


def turning(job):
    """The arm that helps harms at the largest budget."""
    found = run(job)
    return {"loss": found["loss"] + (0.5 if job.arm == "helps" and job.steps == 40 else 0)}


def only_first(job):
    """The arm that helps helps under the first seeds only."""
    found = run(job)
    return {"loss": found["loss"] + (0.3 if job.arm == "helps" and 200 <= job.seed < 300 else 0)}


def test_a_sentence_that_turns_at_a_larger_budget_must_name_its_own(kept):
    assert not made(run=turning).sentence("helps")["holds"]
    named = [Sentence("helps", "At 10 updates it helps.", "helps", "plain", at_budget=True)]
    assert made(design(sentences=named), run=turning).sentence("helps")["holds"]


def test_a_sentence_that_the_replication_does_not_bear_does_not_hold(kept):
    found = made(run=only_first).sentence("helps")
    assert found["first"]["holds"] and not found["replication"]["holds"] and not found["holds"]


def test_a_run_that_diverges_bears_nothing_out(kept):
    study = made(run=lambda job: {"loss": math.inf if job.arm == "usual" else run(job)["loss"]})
    assert study.record["results"]["first"]["10"]["usual"]["loss"] == ["diverged"] * 6
    assert study.sentence("rate")["first"] == {"difference": None, "half width": None, "holds": False}


def test_it_goes_on_where_it_was_killed(kept):
    calls, wholly = [], made().record["results"]["first"]

    def counted(job, last=30):
        calls.append(job)
        if len(calls) == last:
            raise KeyboardInterrupt
        return run(job)

    again = design(question="The same once more?")
    with pytest.raises(KeyboardInterrupt):
        made(again, counted)
    journal = max(kept.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    with open(journal, "a") as file:
        file.write('{"job": "cut o')  # as a kill leaves it
    before = len(calls)
    study = made(again, counted)
    assert study.record["results"]["first"] == wholly
    assert len({job.key for job in calls[before:]} & {job.key for job in calls[: before - 1]}) == 0
    calls.clear()
    assert made(again, counted).record["results"] == study.record["results"] and not calls


def test_another_sentence_is_another_design_and_says_so(kept):
    first = made().record["results"]
    other = made(design(sentences=[Sentence("helps", "It helps by 0.1.", "helps", "plain", margin=0.1)]))
    assert first["other designs with results"] == 0 and other.record["results"]["other designs with results"] == 1
    assert first["digest"] != other.record["results"]["digest"]
    assert first["fixed"] <= first["first result"]


def test_results_without_their_design_are_refused(kept):
    made()
    next(kept.glob("*.design.json")).unlink()
    with pytest.raises(RuntimeError, match="remove both"):
        made()


def test_texts_that_two_parts_share_are_counted():
    counted = protocol.shared({**TEXTS, "reporting": ["c", "d", "a"]})
    assert counted["shared"] == {
        "training and choosing": 0, "training and reporting": 1, "choosing and reporting": 1,
    }  # fmt: skip
    assert counted["reporting"]["count"] == 3


def test_processes_give_the_same_as_none(tmp_path):
    jobs = [runs.Job("plain", {"lr": 1e-4 * k}, k, 10, "choosing") for k in (1, 2, 3)]
    before, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    here = runs.Runner(run, runs.Journal(tmp_path / "here.jsonl"), None).losses(jobs, "here")
    with runs.pool(2) as workers:
        assert isinstance(workers, ProcessPoolExecutor)
        there = runs.Runner(run, runs.Journal(tmp_path / "there.jsonl"), workers).losses(jobs, "there")
        with pytest.raises(SystemExit):  # as when the study is told to end: its workers end with it
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert torch.get_num_threads() == 1, "the record says how many threads the runs had"
    torch.set_num_threads(threads)
    assert [found["loss"] for found in here] == [found["loss"] for found in there]


def test_a_design_is_read_back_as_it_was():
    assert Design.of(json.loads(json.dumps(design().described()))).digest("code") == design().digest("code")


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: Seeds((1, 2), (2, 3, 4, 5, 6)), r"choose and report is \[2\]"),
        (lambda: Seeds((1,), (2, 3, 4, 5)), "5 or more"),
        (lambda: Seeds((), range(5)), "choosing seeds"),
        (lambda: Arm("a", {"lr": (1e-4, 1e-3)}), "three values or more"),
        (lambda: Arm("a", {"lr": (1e-4, 2e-4, 5e-4)}), "the same factor"),
        (lambda: Arm("a", {"lr": (0.0, 1e-4, 2e-4)}), "above 0"),
        (lambda: Arm("a"), "a reason in as_is"),
        (lambda: Arm("a", {"lr": (1, 2, 4)}, nothing={"rate": 0}), "one of"),
        (lambda: Sentence("s", "?", "a", "b", "better"), "lower, higher, alike"),
        (lambda: Sentence("s", "?", "a", "b", "alike"), "above 0"),
        (lambda: design(baseline="none"), "one of plain"),
        (lambda: design(sentences=[Sentence("s", "?", "nobody", "plain")]), "nobody"),
        (lambda: design(budgets=(10, 20)), "four times"),
        (lambda: design(sentences=[Sentence("s", "It helps.", "helps", "plain", at_budget=True)]), "names 10 updates"),
        (lambda: design(replication=Seeds((300,), (5, 6, 7, 8, 9))), "did not use"),
    ],
)
def test_an_unsound_design_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()
