"""Time of one explorer update on the kernel's side, against a new figure per move.

    python tests/benchmarks/bench_explorers.py

Everything is measured inside a Jupyter kernel, where explorers live, in one run and in turns, so
that a busy machine slows all of them alike: read the ratios. The rival is what most notebooks do:
`ipywidgets.interactive_output` that makes a new pyplot figure, with the same content, per move.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

MOVES, ROUNDS = 20, 3
TARGET_RATIO = 8.0


def measure() -> dict[str, list[float]]:
    """Return the milliseconds of each update, per approach; call it inside a kernel."""

    from course_utils.lessons.lesson01 import explorers as explorers01
    from course_utils.lessons.lesson02 import explorers as explorers02
    from course_utils.views.controls import rates_between

    rates = rates_between(0.001, 2)[:: 300 // MOVES][:MOVES]
    live = {
        "parabola": (explorers01.parabola(), "lr", rates),
        "ravine": (explorers02.ravine(), "lr", rates),
    }
    moves = {
        name: (explorer.controls[control], values)
        for name, (explorer, control, values) in live.items()
    }
    moves["interactive_output, new figure"] = (new_figure_per_move(), rates)
    times: dict[str, list[float]] = {name: [] for name in moves}
    for _ in range(ROUNDS):
        for name, (control, values) in moves.items():
            for value in values:
                start = time.perf_counter()
                control.value = value
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def new_figure_per_move():
    """The usual way: the slider of an `interactive_output` that plots the parabola anew."""
    import ipywidgets as widgets
    import matplotlib.pyplot as plt
    import numpy as np
    from IPython.display import display

    from course_utils.lessons.lesson01 import explorers as explorers01

    compute = explorers01.parabola().compute

    def show(lr: float) -> None:
        data = compute(lr)
        _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), dpi=100)
        w = np.linspace(-9, 7, 400)
        left.plot(w, (w + 1) ** 2, color="gray", lw=3)
        left.plot(data["w"], data["loss"], "o-")
        left.set(
            xlim=(-9, 7), ylim=(-4, 66), xlabel="parameter w", ylabel="loss", title=f"η = {lr:.3g}"
        )
        right.semilogy(data["closed_form"], label="closed form")
        right.semilogy(np.maximum(data["loss"], 1e-12), "o", label="measured")
        right.set(ylim=(1e-12, 1e6), xlabel="step (updates)", ylabel="loss")
        right.set_title(f"each step: distance × {data['factor']:.3g}")
        right.legend()
        plt.show()

    slider = widgets.FloatLogSlider(value=0.02, min=-3, max=0.3)
    display(widgets.interactive_output(show, {"lr": slider}))
    return slider


def in_a_kernel(code: str, timeout: float = 300.0) -> str:
    """Run `code` in a fresh kernel and return what it printed last."""
    from jupyter_client.manager import start_new_kernel
    from kernels import use_ipc

    use_ipc()
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
    printed: list[str] = []

    def collect(message: dict) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            printed.append(message["content"]["text"])

    try:
        reply = client.execute_interactive(code, timeout=timeout, output_hook=collect)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"]["traceback"]))
    return "".join(printed).strip().splitlines()[-1]


def main() -> int:
    """Measure and print the table; return 0 when the requirements are met."""
    here = Path(__file__).parent
    code = (
        f"%matplotlib inline\nimport sys; sys.path[:0] = {[str(here), str(here.parents[1])]}\n"
        "import json, bench_explorers\n"
        "print(json.dumps(bench_explorers.measure()))"
    )
    times = json.loads(in_a_kernel(code))
    rival = "interactive_output, new figure"
    slow = statistics.median(times[rival])
    print(f"explorers: one update, 1000x400 pixels, {MOVES * ROUNDS} moves each, same kernel")
    print(f"{'':34}{'median ms':>10}{'p95 ms':>10}{'fastest':>10}{'times faster':>14}")
    for name, values in times.items():
        middle, worst = statistics.median(values), sorted(values)[int(0.95 * len(values))]
        ratio = "" if name == rival else f"{slow / middle:13.1f}x"
        print(f"{name:34}{middle:10.1f}{worst:10.1f}{min(values):10.1f}{ratio:>14}")
    ours = max(statistics.median(v) for name, v in times.items() if name != rival)
    met = slow / ours >= TARGET_RATIO
    verdict = f"every explorer at least {TARGET_RATIO:g} times faster than a new figure"
    print(f"{verdict}: {'yes' if met else 'NO'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
