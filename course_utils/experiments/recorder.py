"""Which learning rate did each update really use? A file to take home: PyTorch and NumPy only."""

from collections import UserDict
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def record_rates(optimizer):
    """Record the rates of every update that runs as `log.lr`: (T,), or (T, G) for G groups.

    It notes what `step()` read last in its groups, not what it has elsewhere (Adafactor, LBFGS);
    NaN where a group was not there yet. A step that raised or that was skipped is no update.

    >>> with record_rates(optimizer := torch.optim.SGD([torch.ones(2)], lr=0.5)) as log:
    ...     optimizer.step()
    >>> log.lr
    array([0.5])
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
    log, begun = _Log(), []
    for kind in [k for k in type(optimizer).__mro__ if issubclass(k, torch.optim.Optimizer)]:
        object.__new__(kind)._patch_step_function()  # else super().step() may call no hooks

    def begin(*_):
        optimizer.param_groups[:] = map(_Watched, optimizer.param_groups)
        begun.append((len(log), optimizer.param_groups[:]))

    def end(*_):
        first, groups = begun.pop()  # of a step that raised, an entry stays behind below
        if not getattr(optimizer, "found_inf", None):  # what a GradScaler tells a fused optimizer
            log[first:] = log[first:][-1:] or [[g.reads[-1] for g in groups]]  # super().step()
        optimizer.param_groups[:] = [getattr(g, "data", g) for g in optimizer.param_groups]

    with optimizer.register_step_pre_hook(begin), optimizer.register_step_post_hook(end) as hook:
        optimizer._optimizer_step_post_hooks.move_to_end(hook.id, last=False)  # others may set lr
        try:
            yield log
        finally:  # after a step that raised, too
            optimizer.param_groups[:] = [getattr(g, "own", g) for g in optimizer.param_groups]


class _Watched(UserDict):  # a group during step(): the same storage, but reads of "lr" are noted
    def __init__(self, group):
        self.data, self.own, self.reads = group, getattr(group, "own", group), [float(group["lr"])]

    def __getitem__(self, key):
        if key == "lr":  # as a number, for a tensor may be overwritten
            self.reads.append(float(self.own["lr"]))
        return self.data[key]


class _Log(list):
    @property
    def lr(self):
        wide = max(map(len, self), default=1)
        return np.reshape([row + [np.nan] * (wide - len(row)) for row in self], (-1, wide)[:wide])
