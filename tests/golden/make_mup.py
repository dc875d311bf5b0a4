"""Ask the package `mup` for its rates and starts, and write `mup.json`.

The course does not depend on it: run this from the repository root in a throw-away environment,

    python -m venv mup && mup/bin/pip install torch mup==1.0.0
    mup/bin/python tests/golden/make_mup.py

The package keeps the readout's weights and divides its input by m; the weights that act are the
quotient. So of the readout it notes: rate / m for Adam, rate / m² for SGD, start / m.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import torch
from mup import MuAdam, MuReadout, MuSGD, set_base_shapes
from torch import nn

TARGET = Path(__file__).with_name("mup.json")
BASE, WIDTHS = 64, (16, 64, 256, 512)
LAYERS = ("input", "hidden", "readout")


class MLP(nn.Module):
    """64-n-n-10, with PyTorch's starts."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.input, self.hidden = nn.Linear(64, n), nn.Linear(n, n)
        self.readout = MuReadout(n, 10)


def rates(width: int, rule: type) -> dict[str, float]:
    """The rate of every parameter at the base rate 1, in the weights that act."""
    model = set_base_shapes(MLP(width), MLP(BASE), delta=MLP(2 * BASE))
    optimizer, m = rule(model.parameters(), lr=1.0), model.readout.width_mult()
    found = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    told = {name: found[id(p)] for name, p in model.named_parameters()}
    told["readout.weight"] /= m**2 if rule is MuSGD else m
    return told


def start(width: int) -> dict[str, float]:
    """The largest first weight of each layer over PyTorch's bound, in the weights that act."""
    torch.manual_seed(0)
    model = set_base_shapes(MLP(width), MLP(BASE), delta=MLP(2 * BASE))
    bound = {name: getattr(model, name).weight.abs().max().item() for name in LAYERS}
    bound["readout"] /= model.readout.width_mult()
    inputs = {"input": 64, "hidden": width, "readout": width}
    return {name: bound[name] * inputs[name] ** 0.5 for name in LAYERS}


def main() -> None:
    record = {
        "versions": {"mup": version("mup"), "torch": torch.__version__},
        "made_by": "tests/golden/make_mup.py",
        "base": BASE,
        "Adam": {str(n): rates(n, MuAdam) for n in WIDTHS},
        "SGD": {str(n): rates(n, MuSGD) for n in WIDTHS},
        "start": {str(n): start(n) for n in WIDTHS},
    }
    TARGET.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
