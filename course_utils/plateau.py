"""The schedule that watches: no function of the step, but of what happens."""

from __future__ import annotations

import math
from typing import Annotated, Any

from course_utils import validate
from course_utils.validate import CountOrZero, NonNegative, Positive


def _factor(name: str, value: Any) -> float:
    return validate.between(name, validate.positive(name, value), 0, 1, open_high=True)


class ReduceOnPlateau:
    r"""Multiply the rate by `factor` when a metric has stalled for more than `patience` epochs.

    Call `update(metric)` once per epoch. It is `torch.optim.lr_scheduler.ReduceLROnPlateau`:
    `mode` says whether a smaller ("min") or a larger metric ("max") is better; `threshold`, how
    much better counts, as a fraction of the best so far ("rel", misleading where the metric can be
    negative) or "abs"; `cooldown`, how many epochs after a cut are not counted; changes of the rate
    smaller than `eps` are not made. A metric of NaN counts as "not better".

    >>> plateau = ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> [plateau.update(loss) for loss in (1.0, 0.8, 0.8, 0.8, 0.7)]
    [0.1, 0.1, 0.1, 0.05, 0.05]
    """

    name = "reduce on plateau"
    formula = r"\eta \leftarrow \max(\phi\,\eta,\ \eta_{min}) \text{ when the metric stalls}"

    def __init__(
        self,
        lr: Positive,
        factor: Annotated[float, _factor] = 0.1,
        patience: CountOrZero = 10,
        mode: Annotated[str, lambda n, v: validate.one_of(n, v, ("min", "max"))] = "min",
        threshold: NonNegative = 1e-4,
        threshold_mode: Annotated[str, lambda n, v: validate.one_of(n, v, ("rel", "abs"))] = "rel",
        cooldown: CountOrZero = 0,
        min_lr: NonNegative = 0.0,
        eps: NonNegative = 1e-8,
    ) -> None:
        given, checks = locals(), validate.checks(ReduceOnPlateau.__init__)
        self.parameters: dict[str, Any] = {name: checks[name](name, given[name]) for name in checks}
        self.reset()

    def reset(self) -> None:
        """Forget every metric and go back to the first rate."""
        self.lr: float = self.parameters["lr"]
        self.best = math.inf if self.parameters["mode"] == "min" else -math.inf
        self.bad_epochs = self.cooldown_left = 0

    def update(self, metric: float) -> float:
        """Take the metric of one more epoch and return the rate to use from now on."""
        try:
            if not hasattr(metric, "__float__"):  # a one-element tensor has it, a text has not
                raise TypeError
            metric = float(metric)  # NaN and infinity are allowed: a run may diverge
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"metric must be a number, got {metric!r}") from None
        if self._is_better(metric):
            self.best, self.bad_epochs = metric, 0
        else:
            self.bad_epochs += 1
        if self.cooldown_left > 0:
            self.cooldown_left, self.bad_epochs = self.cooldown_left - 1, 0
        if self.bad_epochs > self.parameters["patience"]:
            smaller = max(self.lr * self.parameters["factor"], self.parameters["min_lr"])
            if self.lr - smaller > self.parameters["eps"]:
                self.lr = smaller
            self.cooldown_left, self.bad_epochs = self.parameters["cooldown"], 0
        return self.lr

    def _is_better(self, metric: float) -> bool:
        sign = 1 if self.parameters["mode"] == "min" else -1
        margin = sign * self.parameters["threshold"]
        relative = self.parameters["threshold_mode"] == "rel"
        target = self.best * (1.0 - margin) if relative else self.best - margin
        return bool(sign * metric < sign * target)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"ReduceOnPlateau({arguments})"
