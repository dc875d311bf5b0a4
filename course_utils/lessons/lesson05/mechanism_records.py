"""The recorded files on weight decay, the transformer and loss spikes; merged into `records`."""

from __future__ import annotations

from os import PathLike

from course_utils.lessons.lesson05 import weight_decay


def _transformers(path: str | PathLike[str]) -> None:
    from course_utils.lessons.lesson05 import transformer  # needs PyTorch

    transformer.record(path)


def _spikes(path: str | PathLike[str]) -> None:
    from course_utils.lessons.lesson05 import network_spikes  # needs PyTorch

    network_spikes.record(path)


RECORDS = {
    "05_weight_decay.json": weight_decay.record,
    "05_transformers.json": _transformers,
    "05_spikes.json": _spikes,
}
