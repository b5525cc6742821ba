"""The command line as its user meets it: from a file to a folder that plain transformers loads."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lmtune.cli.main import main
from lmtune.devices.launch import loopback

ROOT = Path(__file__).parents[2]
WORDS = "the model reads a text and learns what comes next in it".split()


def text_of(paragraphs, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return "\n\n".join(
        " ".join(WORDS[i] for i in torch.randint(len(WORDS), (12,), generator=drawn).tolist()) + "."
        for _ in range(paragraphs)
    )


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "my nötes.txt"
    path.write_text(text_of(60), "utf8")
    return path


def finetune(data, out, *more):
    return main(
        ["finetune", "--model", "pocket-mini", "--data", str(data), "--out", str(out), "--context", "32", *more]
    )


def command(*arguments, processes=1, **settings):
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    return subprocess.Popen(
        [*start, "lmtune", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        **settings,
    )


def test_own_text_becomes_a_model_that_plain_transformers_loads(data, tmp_path, capsys):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "a run ä"
    assert finetune(data, out, "--steps", "12", "--lr", "3e-3") == 0
    said = capsys.readouterr().out
    assert "held-out loss" in said and f'lmtune generate "{out}"' in said
    rows = (out / "history.csv").read_text().splitlines()
    assert len(rows) == 13 and {"loss.svg", "lr.svg", "norm.svg"} <= {p.name for p in out.iterdir()}
    settings = json.loads((out / "settings.json").read_text())
    assert settings["settings"]["lr"] == 3e-3 and settings["settings"]["evaluate_every"] == 1

    model, tokenizer = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    ids = torch.tensor([[0, *tokenizer("the model reads", add_special_tokens=False)["input_ids"]]])
    written = tokenizer.decode(
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)[0, 1:]
    )
    assert main(["generate", str(out), "--prompt", "the model reads", "--max-new-tokens", "8"]) == 0
    assert capsys.readouterr().out.strip() == written.strip()


def test_prompts_and_completions_and_documentation(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"say {w}:", "completion": f" {w}"}) + "\n" for w in WORDS * 2))
    assert finetune(path, tmp_path / "pairs", "--steps", "2") == 0
    assert finetune("docs:networkx", tmp_path / "docs", "--steps", "1", "--pack", "--evaluate-every", "99") == 0


def test_row_42_a_table_is_said_to_be_read_as_plain_text(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("id;text\n" + "".join(f"{i};the text of row {i}\n" for i in range(200)))
    assert finetune(tmp_path / "rows.csv", tmp_path / "run", "--steps", "1") == 0
    assert "rows.csv is read as plain text, every character of it" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--steps", "0"], "steps is 0"),
        (["--lr", "nan"], "lr is nan"),
        (["--schedule", "cosin"], "'cosine'"),
        (["--share", "2"], "share is 2"),
        (["--context", "1"], "context is 1"),
        (["--context", "9000"], "reads at most"),
        (["--patience", "2", "--share", "0"], "patience"),
        (["--validation", "nowhere.txt"], "no file or folder"),
    ],
)
def test_row_45_a_wrong_setting_is_one_line_and_leaves_no_model(data, tmp_path, capsys, arguments, said):
    assert finetune(data, tmp_path / "run", "--steps", "2", *arguments) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not (tmp_path / "run").exists(), "what was refused keeps no folder from the mended command"


def test_a_folder_that_holds_something_is_never_written_into(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert finetune(data, out, "--steps", "2") == 0
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert finetune(data, out, "--steps", "2") == 2 and "--resume" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").write_text("mine")
    assert finetune(data, tmp_path / "other") == 2 and "other files" in capsys.readouterr().err
    assert finetune(data, tmp_path / "none", "--resume") == 2 and "no run" in capsys.readouterr().err


def test_a_killed_run_goes_on_as_if_it_had_not_been(data, tmp_path, capsys):
    settings = ["--steps", "24", "--save-every", "1", "--evaluate-every", "6", "--warmup", "3"]
    assert finetune(data, tmp_path / "whole", *settings) == 0
    run = tmp_path / "killed"
    process = command("finetune", "--model", "pocket-mini", "--data", data, "--out", run, "--context", 32, *settings)
    ends = time.monotonic() + 120
    while not (run / "checkpoints" / "step-00000003").exists() and time.monotonic() < ends:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (run / "config.json").exists(), "it ended before it was killed"
    assert main(["generate", str(run)]) == 2 and "not finished" in capsys.readouterr().err
    assert main(["finetune", "--resume", "--out", str(run), "--lr", "5"]) == 2
    assert "lr = its default" in capsys.readouterr().err
    assert main(["finetune", "--resume", "--out", str(run)]) == 0
    whole, resumed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    worst = max((whole[n] - resumed[n]).abs().max().item() for n in whole)
    assert worst < 1e-5  # the processes may have had other numbers of threads


@pytest.mark.skipif(not loopback(), reason="no loopback interface, which torchrun needs")
def test_two_processes_equal_one(data, tmp_path):
    settings = [
        "--data",
        data,
        "--model",
        "pocket-mini",
        "--context",
        32,
        "--steps",
        6,
        "--precision",
        "fp64",
        "--accumulate",
    ]
    for name, processes in (("one", 1), ("two", 2)):
        run = command("finetune", "--out", tmp_path / name, *settings, 3 - processes, processes=processes)
        said, errors = run.communicate(timeout=200)
        assert run.returncode == 0, errors[-2000:]
        assert said.count("held-out loss") == 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert next(iter(one.values())).dtype == torch.float64
    assert max((one[n] - two[n]).abs().max().item() for n in one) < 1e-6
    looks = [
        [row.split(",")[-1] for row in (tmp_path / name / "history.csv").read_text().splitlines()[1:]]
        for name in ("one", "two")
    ]
    assert [float(x) for x in looks[0] if x] == pytest.approx([float(x) for x in looks[1] if x], rel=1e-6)


@pytest.mark.skipif(not loopback(), reason="no loopback interface, which torchrun needs")
def test_a_process_that_dies_ends_the_run_and_leaves_a_good_checkpoint(data, tmp_path):
    run = tmp_path / "run"
    process = command(
        "finetune",
        "--data",
        data,
        "--model",
        "pocket-mini",
        "--context",
        32,
        "--steps",
        4000,
        "--save-every",
        1,
        "--out",
        run,
        processes=2,
        start_new_session=True,
    )
    try:
        ends = time.monotonic() + 150
        while not (run / "checkpoints" / "step-00000002").exists() and time.monotonic() < ends:
            time.sleep(0.05)
        os.kill(worker_of(process.pid, rank=1), signal.SIGKILL)
        _, errors = process.communicate(timeout=100)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert process.returncode not in (0, None)
    assert "SIGKILL" in errors or "Signal 9" in errors
    from lmtune.training import checkpoint

    found = checkpoint.existing(run / "checkpoints")
    assert found and checkpoint.read(found[-1])["state"]["step"] >= 2


def worker_of(parent, rank):
    """The process of this rank among those that torchrun started."""
    for child in Path("/proc").glob("[0-9]*"):
        try:
            about = (child / "environ").read_bytes().split(b"\0")
            above = (child / "stat").read_text().rsplit(")", 1)[1].split()[1]
        except OSError:
            continue
        if int(above) == parent and f"RANK={rank}".encode() in about:
            return int(child.name)
    raise AssertionError(f"no process of rank {rank}")


def test_an_encoder_with_a_decoder_learns_pairs_and_goes_on_after_a_stop(tmp_path, tiny_tokenizer, capsys):
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoModelForSeq2SeqLM, T5Config, T5ForConditionalGeneration

    tiny_tokenizer = copy.deepcopy(tiny_tokenizer)  # other tests share it
    tiny_tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    torch.manual_seed(0)
    small = dict(d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, dropout_rate=0.0)
    ends = dict(pad_token_id=0, eos_token_id=0, decoder_start_token_id=0)
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(tiny_tokenizer), **small, **ends))
    model.save_pretrained(tmp_path / "t5")
    tiny_tokenizer.save_pretrained(tmp_path / "t5")
    path = tmp_path / "pairs.jsonl"
    known = {"the sum": "of two numbers", "a list": "of the names"}
    path.write_text("".join(json.dumps({"prompt": a, "completion": b}) + "\n" for a, b in known.items()))
    asked = ["--data", str(path), "--model", str(tmp_path / "t5"), "--lr", "1e-2", "--steps", "150"]
    assert main(["finetune", *asked, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    for prompt, answer in known.items():
        assert main(["generate", str(tmp_path / "run"), "--prompt", prompt]) == 0
        assert capsys.readouterr().out.strip() == answer
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "run")
    ids = torch.tensor([tiny_tokenizer("a list")["input_ids"]])
    written = plain.generate(ids, max_new_tokens=20, do_sample=False)[0]
    assert tiny_tokenizer.decode(written, skip_special_tokens=True).strip() == "of the names"
    text = tmp_path / "text.txt"
    text.write_text(text_of(20), "utf8")
    assert main(["finetune", "--data", str(text), *asked[2:], "--out", str(tmp_path / "no")]) == 2
    assert "learns from pairs" in capsys.readouterr().err


def test_row_48_the_model_comes_before_its_figures_and_takes_no_backend(data, tmp_path, monkeypatch, capsys):
    from lmtune.cli import finetune as module

    settings = ["--model", "pocket-mini", "--steps", "2", "--out", str(tmp_path / "run")]
    monkeypatch.setenv("MPLBACKEND", "no_such_backend")
    done = command("finetune", "--data", data, *settings).communicate()  # a fresh process has yet to import it
    assert (tmp_path / "run" / "loss.svg").exists(), done

    def fails(folder, history):
        assert (folder / "config.json").exists()
        raise RuntimeError("no display")

    monkeypatch.setattr(module, "write_figures", fails)
    assert finetune(data, tmp_path / "other", "--steps", "2") == 0
    assert "could not be drawn" in capsys.readouterr().out and (tmp_path / "other" / "history.csv").exists()


def test_row_48_a_model_folder_is_written_onto_an_older_one(tmp_path):
    from lmtune.cli.run_folder import write_model
    from lmtune.models.loading import load

    model, tokenizer = load("pocket-mini")
    tokenizer.chat_template = {"default": "{{ messages }}", "tools": "{{ messages }} and tools"}
    for _ in range(2):
        write_model(tmp_path, model, tokenizer)
    assert len(list((tmp_path / "additional_chat_templates").iterdir())) == 1
    assert load(tmp_path)[1].chat_template["tools"].endswith("tools")
