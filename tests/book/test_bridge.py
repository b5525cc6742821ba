"""The page that holds three loops side by side: its code runs as it stands, and all end alike."""

import re

import pytest

from book.cells.places import ROOT

PAGE = (ROOT / "reference" / "bridge.md").read_text("utf8")


@pytest.fixture(scope="module")
def ran():
    pytest.importorskip("accelerate")
    space = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "reference/bridge.md", "exec"), space)
    return space


@pytest.mark.parametrize("name", ["trained", "tuned"])
def test_the_three_runs_end_with_the_same_weights(ran, name):
    lmtune = ran["lmtune"]
    start, _ = lmtune.load("pocket-mini")
    way, apart = distance(ran["bare"], start), distance(ran["bare"], ran[name])
    assert way > 1, "nothing was trained"
    assert apart < 2e-3 * way
    held_out = lmtune.windows(ran["texts"].validation[::16], ran["tokenizer"], context=64)
    losses = [lmtune.evaluate(model, held_out, progress=False).loss for model in (ran["bare"], ran[name])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def distance(model, other):
    pairs = zip(model.parameters(), other.parameters())
    return sum((p - q).detach().pow(2).sum().item() for p, q in pairs) ** 0.5


def test_every_argument_in_the_table_exists(ran):
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ")][1:]
    config, arguments = ran["lmtune"].Config.__dataclass_fields__, ran["arguments"]
    for _, theirs, ours, _ in rows:
        for name in re.findall(r"`(\w+)`", ours):
            assert name in config or name == "torchrun", name
        for name in re.findall(r"`([a-z]\w+)`", theirs):
            assert hasattr(arguments, name) or name in ("resume_from_checkpoint", "torchrun"), name
    defaults = type(arguments).__dataclass_fields__
    assert defaults["num_train_epochs"].default == 3 and defaults["learning_rate"].default == 5e-5
    assert defaults["adam_beta2"].default == 0.999 and defaults["max_grad_norm"].default == 1.0


def test_the_trainers_own_warm_up_begins_at_zero(ran):
    from transformers import get_linear_schedule_with_warmup

    optimizer = ran["torch"].optim.SGD(ran["bare"].parameters(), 1.0)
    schedule = get_linear_schedule_with_warmup(optimizer, 4, 12)
    assert schedule.get_last_lr() == [0.0]
