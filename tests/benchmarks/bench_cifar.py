"""How fast does `train` go through CIFAR-100, and what do the data cost?

Run it from the repository root: `python tests/benchmarks/bench_cifar.py`. The article's way is
float32 in PyTorch's default layout, with a `DataLoader` over a data set of single images, and Adam
not fused. Files of the full size with random pixels stand in for the real ones. On a CPU, processor
time of one thread, alternating, the best of several rounds; on a GPU, time on the clock. On a busy
machine only the ratio means something.
"""

# The number of threads must be set before NumPy and torch are imported.
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np
import torch
from torch import nn

from course_utils.experiments import cifar_files
from course_utils.experiments.datasets import cifar100
from course_utils.experiments.devices import best_device, fast_precision
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import train

BATCH = 128
MOST_BYTES, MOST_SECONDS = 2e9, 1.0
MEMORY = """
import json, resource, time
from course_utils.experiments.datasets import cifar100
import torch
start = time.process_time()
data = cifar100({folder!r}, download=False)
seconds = time.process_time() - start
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import train
train(SevenLayerCNN(seed=0), data, optimizer="adam", schedule=1e-3, steps=2, batch_size=128)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, peak]))
"""


class SingleImages(torch.utils.data.Dataset):
    """One image at a time, made a float tensor and normalized, as image libraries do it."""

    def __init__(self, split):
        self.split = split
        self.mean = torch.tensor(split.mean).view(3, 1, 1)
        self.std = torch.tensor(split.std).view(3, 1, 1)

    def __len__(self):
        return len(self.split)

    def __getitem__(self, i):
        image = torch.tensor(self.split.x[i]).float().div(255)
        return (image - self.mean) / self.std, int(self.split.y[i])


def article_way(data, device, steps):
    """Seconds for so many updates of the textbook loop."""
    model = SevenLayerCNN(seed=0).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = nn.CrossEntropyLoss()
    loader = torch.utils.data.DataLoader(SingleImages(data.train), BATCH, shuffle=True)
    start = clock(device)
    done = 0
    while done < steps:
        for x, y in loader:
            optimizer.zero_grad()
            loss(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
            done += 1
            if done == steps:
                break
    return clock(device) - start


def our_way(data, device, precision, steps):
    """Seconds for so many updates of `train`, without what it measures at the end."""
    times = []
    train(
        SevenLayerCNN(seed=0), data, optimizer="adam", schedule=1e-3, steps=steps,
        batch_size=BATCH, device=device, precision=precision, fused=True,
        observers={"clock": lambda model: times.append(clock(device)) or 0.0}, observe_every=steps,
    )  # fmt: skip
    return times[-1] - times[0]


def clock(device):
    """Processor time on a CPU, where others may be at work; else time on the clock."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def write_files(folder):
    """Files of the size of CIFAR-100 with random pixels, marked as synthetic."""
    cifar_files.write_synthetic(folder, 100, 100)
    for part, n in cifar_files.RECORDS.items():
        table = np.random.default_rng(0).integers(0, 256, (n, 3074), dtype=np.uint8)
        table[:, 1] = np.arange(n) % 100
        table[:, 0] = table[:, 1] // 5
        (Path(folder) / f"{part}.bin").write_bytes(table)


def main():
    """Print what was measured and the verdicts; return 0 when all requirements are met."""
    device, precision = best_device(), fast_precision()
    torch.set_num_threads(1)
    on_gpu = device.type != "cpu"
    steps, rounds = (60, 3) if on_gpu else (3, 3)
    # Without such hardware both spend nearly all their time in the same convolutions.
    needed = 10 if on_gpu else 1.8 if precision == "bfloat16" else 0.95
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder)
        program = MEMORY.format(folder=folder)
        output = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
        )
        load_seconds, peak = json.loads(output.stdout)
        peak *= 1 if sys.platform == "darwin" else 1024
        data = cifar100(folder, download=False).subset(BATCH * steps)
        article_way(data, device, 1), our_way(data, device, precision, 2)  # warm up
        theirs, ours = [], []
        for _ in range(rounds):
            theirs.append(article_way(data, device, steps))
            ours.append(our_way(data, device, precision, steps))
    images = BATCH * steps
    print(f"{device}, {precision}, batches of {BATCH}")
    ratio = min(theirs) / min(ours)
    print(f"  the article's way {images / min(theirs):9.0f} images per second")
    print(f"  train             {images / min(ours):9.0f}, {ratio:.1f} times as fast")
    print(f"  loading 60,000 images {load_seconds:.2f} s, peak memory {peak / 1e9:.2f} GB")
    verdicts = [
        (f"at least {needed} times as fast as the article's way", ratio >= needed),
        (f"loads within {MOST_SECONDS:g} s", load_seconds <= MOST_SECONDS),
    ]
    if not on_gpu:
        verdicts.append((f"peak memory at most {MOST_BYTES / 1e9:g} GB", peak <= MOST_BYTES))
    for text, met in verdicts:
        print(f"{text}: {'yes' if met else 'NO'}")
    return 0 if all(met for _, met in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
