"""What happened in a run: a list of events, as a table and as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import torch

from lmtune.training.evaluation import Evaluation

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


class Step(NamedTuple):
    """One update of the weights."""

    step: int  #: the update's number, from 1
    loss: float  #: mean loss in nats over all labels of the update; 0 where there is none
    labels: int  #: how many labels that were
    tokens: int  #: how many tokens were read, padding not counted
    lr: float  #: the rate that this update used
    norm: float  #: norm of the gradient before clipping
    skipped: bool  #: whether fp16 overflowed, so that the weights stayed
    seconds: float  #: since the run began


class Evaluated(NamedTuple):
    """One look at the validation data."""

    step: int  #: the number of the update before it, 0 at the start
    result: Evaluation  #: of the whole validation data

    @property
    def loss(self) -> float:
        """The loss of the result, in nats per label."""
        return self.result.loss


class History:
    """The events of a run, in order.

    ``steps`` holds a :class:`~lmtune.training.history.Step` for each update and
    ``evaluations`` an :class:`~lmtune.training.history.Evaluated` for each look at the
    validation data.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.evaluations: list[Evaluated] = []
        #: Whether Ctrl-C ended the run before its time.
        self.interrupted = False

    def add(self, event: Step | Evaluated) -> None:
        """Append an event of :func:`lmtune.run`."""
        kept: list[Any] = self.evaluations if hasattr(event, "result") else self.steps
        kept.append(event)

    def state_dict(self) -> dict[str, Any]:
        """The events as plain data and, because there may be many, one tensor (fp64, exact)."""
        return {
            "steps": torch.tensor(self.steps, dtype=torch.float64),
            "evaluations": [(e.step, tuple(e.result)) for e in self.evaluations],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the events by those of :meth:`state_dict`."""
        from lmtune.training.evaluation import Evaluation

        kinds = get_type_hints(Step).values()
        self.steps = [Step(*(kind(value) for kind, value in zip(kinds, row))) for row in state["steps"].tolist()]
        self.evaluations = [Evaluated(step, Evaluation(*values)) for step, values in state["evaluations"]]

    @property
    def losses(self) -> list[float]:
        """The training loss of each update, in nats per label."""
        return [s.loss for s in self.steps]

    @property
    def final(self) -> Evaluation | None:
        """The last evaluation, or None if nothing was evaluated."""
        return self.evaluations[-1].result if self.evaluations else None

    @property
    def best(self) -> Evaluated | None:
        """The evaluation with the least loss and its step, or None; with ``patience`` the model
        has the weights of this one."""
        finite = [e for e in self.evaluations if e.result.loss == e.result.loss]
        return min(finite, key=lambda e: e.result.loss) if finite else None

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens trained on per second, padding not counted, evaluations included; None before two
        updates, because the first one also pays for what is set up once."""
        if len(self.steps) < 2:
            return None
        first, last = self.steps[0], self.steps[-1]
        return sum(s.tokens for s in self.steps[1:]) / max(1e-9, last.seconds - first.seconds)

    def table(self) -> pandas.DataFrame:
        """One row per update, with the validation loss where there is one."""
        import pandas

        table = pandas.DataFrame(self.steps, columns=list(Step._fields))
        measured = {e.step: e.result.loss for e in self.evaluations}
        table["validation_loss"] = table["step"].map(measured)
        return table.set_index("step")

    def plot(self, what: str = "loss") -> Figure:
        """Training and validation loss over the updates; or, with ``"lr"`` or ``"norm"``, the learning
        rate or the gradient's norm before clipping."""
        from lmtune.arguments import refuse
        from lmtune.plots import figure

        labels = {"loss": "loss (nats per token)", "lr": "learning rate", "norm": "norm of the gradient"}
        refuse(what not in labels, "what", what, ", ".join(map(repr, labels)))
        fig: Figure
        fig, ax = figure()
        ax.plot(
            [s.step for s in self.steps],
            [getattr(s, what) for s in self.steps],
            linewidth=1,
            label="training, each update",
        )
        if what == "loss" and self.evaluations:
            ax.plot(
                [e.step for e in self.evaluations],
                [e.result.loss for e in self.evaluations],
                marker="o",
                label="validation",
            )
        ax.set(xlabel="updates", ylabel=labels[what])
        if what == "loss":
            ax.legend()
        return fig

    def __repr__(self) -> str:
        if not self.steps:
            return "History(no updates)"
        last = f", validation loss {self.final.loss:.3f}" if self.final else ""
        return f"History({len(self.steps)} updates, last training loss {self.losses[-1]:.3f}{last})"
