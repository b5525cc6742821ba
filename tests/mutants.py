"""Break the package on purpose, one line at a time: python -m tests.mutants [ROW ...]

For each row of the checklist of bugs that known loops had, each of these changes brings such
a bug back.  The tests whose names carry the row's number must fail on it; where they pass,
they prove nothing.  Prints caught or missed for every change and fails on a miss.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutant(NamedTuple):
    row: int
    module: str  #: a file of lmtune/
    old: str  #: stands there exactly once
    new: str


MUTANTS = [
    Mutant(
        1,
        "training/losses.py",
        "return total, (targets != IGNORED).sum()\n\n\ndef shifted",
        "return total, (labels != IGNORED).sum()\n\n\ndef shifted",
    ),
    Mutant(1, "training/loop.py", "(batch_sum / max(1, labels)).backward()", "(batch_sum / max(1, tokens)).backward()"),
    Mutant(
        2,
        "training/loop.py",
        "(batch_sum / max(1, labels)).backward()",
        "(batch_sum / max(1, batch_count) / len(window)).backward()",
    ),
    Mutant(
        3,
        "training/plan.py",
        "for some in in_batches(order[at : at + window].tolist(), config.batch_size)]",
        "for some in in_batches(order[at : at + window - 1].tolist(), config.batch_size)]",
    ),
    Mutant(
        3,
        "training/config.py",
        "return math.ceil(math.ceil(examples / self.batch_size) / (self.accumulate * processes))",
        "return examples // self.batch_size // (self.accumulate * processes)",
    ),
    Mutant(4, "training/losses.py", "return total + count * penalty, count", "return total + penalty, count"),
    Mutant(
        4,
        "training/losses.py",
        'imitation = (divergence * (shifted(batch["labels"]) != IGNORED)).sum()',
        'imitation = (divergence * (shifted(batch["labels"]) != IGNORED)).mean() * count',
    ),
    Mutant(
        5,
        "training/loop.py",
        "for examples in window for e in examples)\n            tokens",
        "for examples in window[rank::processes] for e in examples)\n            tokens",
    ),
    Mutant(4, "training/loop.py", "            if not exact:  #", "            if False:  #"),
    Mutant(5, "devices/distributed.py", "    dist.all_reduce(flat)\n", "    pass\n"),
    Mutant(
        6,
        "training/losses.py",
        '        reduction="sum",\n        label_smoothing=smoothing,\n    )',
        "        label_smoothing=smoothing,\n    ) * (targets != IGNORED).sum()",
    ),
    Mutant(
        7,
        "training/losses.py",
        "return F.pad(labels[:, 1:], (0, 1), value=IGNORED)",
        "return F.pad(labels[:, 2:], (0, 2), value=IGNORED)",
    ),
    Mutant(7, "training/losses.py", "return F.pad(labels[:, 1:], (0, 1), value=IGNORED)", "return labels"),
    Mutant(
        8,
        "data/kinds.py",
        '    return batch | {"labels": _padded([e["labels"] for e in examples], IGNORED)}',
        '    return batch | {"labels": batch["input_ids"].masked_fill(batch["input_ids"] == 0, IGNORED)}',
    ),
    Mutant(9, "training/losses.py", "    allowed = same & torch.ones(", "    allowed = torch.ones("),
    Mutant(
        9, "training/probes.py", "            if not _alike(together, alone, model, 1e-4):", "            if False:"
    ),
    Mutant(9, "data/kinds.py", "for n in lengths for i in range(n)]", "for i in range(sum(lengths))]"),
    Mutant(9, "data/packing.py", 'for label in (IGNORED, *e["labels"][1:])', 'for label in e["labels"]'),
    Mutant(
        10,
        "training/evaluation.py",
        "            total += float(batch_sum)\n            count += float(batch_count)",
        "            total += float(batch_sum / batch_count)\n            count += 1",
    ),
    Mutant(11, "training/loop.py", "            state.scaler.unscale_(optimizer)  #", "            #"),
    Mutant(12, "training/loop.py", "            if not skipped:  #", "            if True:  #"),
    Mutant(12, "optim/optimizers.py", "    scaler.update()\n", ""),
    Mutant(13, "training/loop.py", "                state.made += 1", "                state.made += len(window)"),
    Mutant(
        14, "training/config.py", "return self.lr * (step + 1) / self.warmup", "return self.lr * step / self.warmup"
    ),
    Mutant(
        15,
        "optim/optimizers.py",
        '        group["lr"] = group["initial_lr"] * factor',
        '        group["lr"] = group["initial_lr"] * factor; group["betas"] = (0.95 - 0.1 * factor, 0.95)',
    ),
    Mutant(
        16, "training/loop.py", "config.rate(state.made, total)", "config.rate(state.made, total * config.accumulate)"
    ),
    Mutant(
        17,
        "training/loop.py",
        "return config.schedule.after([e.result.loss for e in history.evaluations])",
        "return config.schedule.after([s.loss for s in history.steps])",
    ),
    Mutant(
        17, "optim/schedules.py", "            if waited > self.patience:", "            if waited >= self.patience:"
    ),
    Mutant(
        18,
        "optim/optimizers.py",
        '{"params": [p for p in trainable if p.dim() < 2], "weight_decay": 0.0}',
        '{"params": [p for p in trainable if p.dim() < 2], "weight_decay": weight_decay}',
    ),
    Mutant(
        18,
        "optim/optimizers.py",
        "    trainable = [p for p in model.parameters() if p.requires_grad]",
        "    trainable = [p for _, p in model.named_parameters(remove_duplicate=False) if p.requires_grad]",
    ),
    Mutant(
        19,
        "training/early_stopping.py",
        "            self.reference, self.waited = loss, 0",
        "            self.reference = loss",
    ),
    Mutant(
        19, "training/early_stopping.py", "        if loss < self.best_loss:", "        if not loss >= self.best_loss:"
    ),
    Mutant(
        19,
        "training/early_stopping.py",
        "        if loss < self.reference - self.min_delta:",
        "        if loss < self.best_loss + 1e-9 - self.min_delta:",
    ),
    Mutant(20, "training/loop.py", "        state.stopping.restore(model)", "        pass"),
    Mutant(20, "training/snapshot.py", "tensor.detach().clone() for", "tensor.detach() for"),
    Mutant(21, "training/loop.py", "plan.updates(start=state.step):", "plan.updates(start=0):"),
    Mutant(21, "training/loop.py", "            seed_update(config.seed, step, rank, device)", "            pass"),
    Mutant(
        21,
        "training/state.py",
        '("optimizer", "scaler", "history", "average", "stopping")',
        '("optimizer", "scaler", "history", "average")',
    ),
    Mutant(
        21,
        "training/state.py",
        '("optimizer", "scaler", "history", "average", "stopping")',
        '("optimizer", "history", "average", "stopping")',
    ),
    Mutant(21, "training/checkpoint.py", 'f".step-{step:08d}.part"', 'f"step-{step:08d}"'),
    Mutant(22, "optim/averaging.py", "            self._write(own)", "            pass"),
    Mutant(22, "optim/averaging.py", '        self.updates = state["updates"]', "        self.updates = 0"),
    Mutant(
        22,
        "training/loop.py",
        "    with state.average.swapped_in() if state.average else nullcontext():",
        "    with nullcontext():",
    ),
    Mutant(23, "models/modes.py", "            module.training = flag", "            module.training = False"),
    Mutant(23, "models/modes.py", "    flags = {module: module.training", "    flags = {module: True"),
    Mutant(23, "training/loop.py", "                model.train()", "                pass"),
    Mutant(24, "diagnostics/range_test.py", "run(copy.deepcopy(model), train", "run(model, train"),
    Mutant(24, "diagnostics/range_test.py", "        torch.random.fork_rng(devices=devices),\n", ""),
    Mutant(
        25, "training/snapshot.py", "model.named_parameters() if", "model.named_parameters(remove_duplicate=False) if"
    ),
    Mutant(26, "models/modes.py", "        model.compile()", "        model.forward = torch.compile(model)"),
    Mutant(27, "training/evaluation.py", "sorted(data, key=_length)[rank::processes]", "sorted(data, key=_length)"),
    Mutant(
        27,
        "training/loop.py",
        "                summed, counted = summed + batch_sum.detach(), counted + batch_count",
        "                summed, counted = add_up(trained, summed + batch_sum.detach(), counted + batch_count)",
    ),
    Mutant(
        28,
        "training/log_buffer.py",
        "isfinite(values[0]) and (may_overflow or math.isfinite(values[1]))",
        "isnan(0.0) or True",
    ),
    Mutant(
        28,
        "training/log_buffer.py",
        "            self._broken = ~sound | self._broken",
        "            self._broken = ~sound",
    ),
    Mutant(
        28,
        "training/log_buffer.py",
        "            self._broken = self._broken or not (sound and counts)",
        "            self._broken = self._broken or not counts",
    ),
    Mutant(29, "devices/precision.py", "is_bf16_supported(including_emulation=False)", "is_bf16_supported()"),
    Mutant(
        29,
        "devices/precision.py",
        "        if parameter.requires_grad and parameter.dtype in _HALF.values():",
        "        if False:",
    ),
    Mutant(30, "models/modes.py", '{"use_reentrant": False}', '{"use_reentrant": True}'),
    Mutant(
        31,
        "optim/averaging.py",
        "        self.updates = 0\n        self._live",
        "        self.updates = 0; Average.last = self\n        self._live",
    ),
    Mutant(31, "training/loop.py", "    state = _state_at", "    state = run.state = _state_at"),
    Mutant(
        32, "data/examples.py", "if tokenizer.decode([*asked, *apart]) == tokenizer.decode(together.ids):", "if True:"
    ),
    Mutant(32, "data/examples.py", 'for lead in ("", "\\n"):', 'for lead in ("",):'),
    Mutant(33, "data/special_tokens.py", "return text.removesuffix(", "return text.removeprefix("),
    Mutant(33, "models/generation.py", "tokenizer(without_start(prompt, tokenizer), ", "tokenizer(prompt, "),
    Mutant(34, "training/plan.py", "    refuse_model_that_looks_ahead(model, judge.first, loss)\n", ""),
    Mutant(
        34,
        "training/probes.py",
        "if without_additions(loss) is not next_token_loss:",
        "if loss is not next_token_loss:",
    ),
    Mutant(
        35,
        "data/wellformed.py",
        "return tuple(row for row in (self.several, self.longest) if row)",
        "return tuple(row for row in (self.several,) if row)",
    ),
    Mutant(35, "data/wellformed.py", "    return first, _one_document(", "    return (first,) or _one_document("),
    Mutant(35, "training/probes.py", "            except Exception as error:", "            except KeyError as error:"),
    Mutant(36, "models/lora.py", "    _refuse_shared(model, names)\n", ""),
    Mutant(37, "models/generation.py", "return own if end in own else [end]", "return own if own != [None] else [end]"),
    Mutant(37, "models/loading.py", "    stop_at_end_of_text(model, tokenizer)\n", ""),
    Mutant(38, "models/vocabulary.py", "        if number in known:", "        if False:"),
    Mutant(39, "data/spelling.py", "None if spells_everything(tokenizer) else _counts(encoding, tokenizer)", "None"),
    Mutant(39, "data/spelling.py", "0 if token == tokenizer.unk_token_id else max(", "max("),
    Mutant(40, "models/loading.py", 'wide = {"dtype": torch.float32, "use', 'wide = {"use'),
    Mutant(41, "training/interrupt.py", "        before(signal.SIGINT, None)", "        pass"),
    Mutant(42, "data/text_files.py", "if p.suffix.lower() in SUFFIXES]", "if p.suffix in SUFFIXES]"),
    Mutant(
        42, "data/text_files.py", "p not in read and (p.is_file() or p.is_symlink())", "p not in read and p.is_file()"
    ),
    Mutant(
        43,
        "data/reach.py",
        "positions=None if limit is None else limit - first - taken",
        "positions=None if limit is None else limit - taken",
    ),
    Mutant(43, "data/reach.py", "    return ask(decoder=True)", "    return config"),
    Mutant(43, "data/reach.py", "isinstance(n, int) and n > 0)", "isinstance(n, int))"),
    Mutant(43, "models/generation.py", "ids and max(ids) >= reach.vocabulary", "ids and False"),
    Mutant(
        44,
        "models/loading.py",
        "if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):",
        'if not tokenizer("a")["input_ids"]:',
    ),
    Mutant(45, "cli/finetune.py", "                release_folder(out)", "                pass"),
    Mutant(46, "arguments.py", "        text.encode()", "        pass"),
    Mutant(46, "models/generation.py", '    refuse_unstorable(prompt, "The prompt")\n', ""),
    Mutant(47, "data/examples.py", "    prompt = prompt[-_LONGEST * context :]", "    prompt = prompt[:]"),
    Mutant(
        47, "data/text_files.py", "passages(found) if len(found) > 10 * PASSAGE else", "passages(found) if False else"
    ),
    Mutant(
        48, "cli/run_folder.py", "            shutil.rmtree(folder / path.name, ignore_errors=True)", "            pass"
    ),
    Mutant(
        48,
        "cli/finetune.py",
        "        except Exception as error:  # whatever",
        "        except KeyError as error:  # whatever",
    ),
    Mutant(49, "training/checkpoint.py", 'key=lambda name: name != "processes"', "key=str"),
    Mutant(50, "data/text_files.py", "except (ValueError, RecursionError) as error:", "except ValueError as error:"),
]


def text_with(mutant: Mutant) -> str:
    """The module with the change; the place must be unique."""
    text = (ROOT / "lmtune" / mutant.module).read_text("utf8")
    found = text.count(mutant.old)
    if found != 1:
        raise ValueError(
            f"row {mutant.row}: {mutant.old!r} stands {found} times in lmtune/{mutant.module}; "
            "the list in tests/mutants.py must follow the code."
        )
    return text.replace(mutant.old, mutant.new)


def verdict(row: int, mutant: Mutant | None) -> int:
    """What :func:`_pytest` says of a row, in a copy of the package with the change."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        shutil.copytree(ROOT / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "lmtune", copy / "lmtune", ignore=shutil.ignore_patterns("__pycache__", "pretrained"))
        (copy / "lmtune" / "models" / "pretrained").symlink_to(ROOT / "lmtune" / "models" / "pretrained")
        shutil.copy(ROOT / "pyproject.toml", copy)
        if mutant:
            (copy / "lmtune" / mutant.module).write_text(text_with(mutant), "utf8")
        child = os.fork()  # torch and transformers are loaded already: a start takes no time
        if child == 0:
            os._exit(_pytest(copy, row))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _pytest(copy: Path, row: int) -> int:
    """0 where the row's tests pass, 1 where one of them failed, 2 where they could not run."""
    import pytest

    class Failures:
        seen = False

        def pytest_runtest_logreport(self, report):
            self.seen |= report.failed

    os.chdir(copy)
    sys.path[:] = [str(copy), *(p for p in sys.path if Path(p).resolve() != ROOT)]
    for name in list(sys.modules):  # none of these may be the unchanged one
        if name.partition(".")[0] in ("lmtune", "tests"):
            del sys.modules[name]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    name, failures = f"test_row_{row:02d}_", Failures()
    files = [
        str(path) for path in sorted((copy / "tests").rglob("test_*.py")) if f"def {name}" in path.read_text("utf8")
    ]
    try:
        # A folder of its own for temporary files: pytest removes the older ones of other sessions.
        settings = ["-q", "-x", "-p", "no:cacheprovider", f"--basetemp={copy / 'temporary'}"]
        code = pytest.main([*settings, "-k", name, *files], plugins=[failures])
        return 1 if failures.seen else 0 if code == 0 else 2
    except BaseException:
        return 2


def main(arguments: list[str]) -> int:
    os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    import peft  # noqa: F401  what the tests import, once for all
    import torch
    import transformers  # noqa: F401
    from transformers import GPT2LMHeadModel, LlamaForCausalLM  # noqa: F401

    torch.set_num_threads(1)
    rows = {int(a) for a in arguments} or {m.row for m in MUTANTS}
    jobs = [(row, None) for row in sorted(rows)] + [(m.row, m) for m in MUTANTS if m.row in rows]
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (row, mutant), code in zip(jobs, pool.map(lambda job: verdict(*job), jobs)):
            good = code == (0 if mutant is None else 1)
            missed += not good
            if mutant is None:
                print(f"row {row:02d}  {'passes as it is' if good else 'FAILS as it is'}")
            else:
                print(
                    f"row {row:02d}  {'caught' if good else 'MISSED' if code == 0 else 'DID NOT RUN'}  "
                    f"{mutant.module}: {' '.join(mutant.new.split())[:70]}",
                    flush=True,
                )
    print(f"mutants: {sum(m is not None for _, m in jobs)} changes over {len(rows)} rows, {missed} wrong")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
