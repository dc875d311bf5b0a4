"""Run real training loops of seven libraries and write `loops.json`: which rate did an update use?

The course depends on none of them. From the repository root, in a throw-away environment,

    python -m venv loops
    loops/bin/pip install torch transformers accelerate lightning timm keras optax
    PYTHONPATH=. loops/bin/python tests/golden/make_loops.py

Three questions to each library, one weight with the gradient -1, a peak of 1:
`accumulated`: a line to 0 over 4 updates, two mini-batches each; the rates of the updates;
`warm_up`: 4 updates of its own warm-up, then constant; the rates of the first 6;
`logged`: a line over 4 updates; what its own log shows for the updates 0, 1, 2.
A library that is not installed is left out, and said so.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "torch", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"}

import torch
from torch.optim import SGD, lr_scheduler
from torch.utils.data import DataLoader

TARGET = Path(__file__).with_name("loops.json")
ONES = torch.ones(8, 1)


def line(optimizer, steps=4):
    return lr_scheduler.LambdaLR(optimizer, lambda t: max(0.0, 1 - t / steps))


def driven(scheduler, optimizer, n=6):
    used = []
    for _ in range(n):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return used


def sgd():
    return SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def of_torch():
    def accumulated():
        optimizer, used = sgd(), []
        scheduler = line(optimizer)
        for i in range(8):
            if i % 2:
                used.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
            scheduler.step()  # in the innermost loop, as many have it
        return used

    def logged():
        optimizer, seen = sgd(), []
        scheduler = line(optimizer)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
            seen.append(scheduler.get_last_lr()[0])
        return seen

    optimizer = sgd()
    warm = driven(lr_scheduler.LinearLR(optimizer, total_iters=4), optimizer)
    return {"accumulated": accumulated(), "warm_up": warm, "logged": logged()}


def of_transformers():
    from transformers import Trainer, TrainerCallback, TrainingArguments, optimization

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x=None, labels=None):
            return {"loss": -(self.w * x).mean(), "logits": x}

    class Watch(TrainerCallback):
        def __init__(self):
            self.used, self.logged = [], []

        def on_pre_optimizer_step(self, *_, optimizer=None, **__):
            self.used.append(optimizer.param_groups[0]["lr"])

        def on_log(self, *_, logs=None, **__):
            self.logged += [logs["learning_rate"]] if "learning_rate" in logs else []

    def trained(k):
        watch = Watch()
        arguments = TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=1,
            gradient_accumulation_steps=k,
            num_train_epochs=1,
            learning_rate=1.0,
            optim="sgd",
            logging_steps=1,
            report_to=[],
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
        )
        data = [{"x": torch.ones(1), "labels": torch.ones(1)} for _ in range(4 * k)]
        Trainer(model=Model(), args=arguments, train_dataset=data, callbacks=[watch]).train()
        return watch

    optimizer = sgd()
    warm = driven(optimization.get_constant_schedule_with_warmup(optimizer, 4), optimizer)
    return {"accumulated": trained(2).used, "warm_up": warm, "logged": trained(1).logged[:3]}


def of_accelerate():
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = torch.nn.Linear(1, 1, bias=False)
    optimizer = SGD(model.parameters(), lr=1.0)
    parts = accelerator.prepare(model, optimizer, DataLoader(ONES), line(optimizer))
    model, optimizer, data, scheduler = parts
    used = []
    for x in data:
        with accelerator.accumulate(model):
            accelerator.backward(-model(x).sum())
            if accelerator.sync_gradients:
                used.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *words, __file__, "on two processes"]
    env = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    two = json.loads(done.stdout.partition("rates:")[2].partition("\n")[0])
    return {"accumulated": used, "two_processes": two}


def on_two_processes():
    """Print the rates of a line of 8 steps, over the 4 updates of two real processes."""
    from accelerate import Accelerator

    accelerator, model = Accelerator(cpu=True), torch.nn.Linear(1, 1, bias=False)
    optimizer = SGD(model.parameters(), lr=1.0)
    data = DataLoader(torch.ones(64, 1), batch_size=8)
    parts = accelerator.prepare(model, optimizer, data, line(optimizer, 8))
    model, optimizer, data, scheduler = parts
    used = []
    for x in data:
        used.append(optimizer.param_groups[0]["lr"])
        accelerator.backward(-model(x).sum())
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    if accelerator.is_main_process:
        print(f"rates:{json.dumps(used)}", flush=True)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def of_lightning():
    import lightning
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import Logger

    class Memory(Logger):
        name, version = "memory", 0

        def __init__(self):
            super().__init__()
            self.rates = []

        def log_metrics(self, metrics, step=None):
            self.rates += [v for k, v in metrics.items() if k.startswith("lr-")]

        def log_hyperparams(self, *_, **__):
            pass

    class Model(lightning.LightningModule):
        def __init__(self, **plan):
            super().__init__()
            self.w, self.used = torch.nn.Parameter(torch.zeros(1)), []
            self.plan = plan

        def training_step(self, batch, _):
            return -(self.w * batch.mean()).sum()

        def optimizer_step(self, epoch, index, optimizer, closure):
            super().optimizer_step(epoch, index, optimizer, closure)
            self.used.append(optimizer.param_groups[0]["lr"])

        def configure_optimizers(self):
            optimizer = SGD(self.parameters(), lr=1.0)
            scheduler = {"scheduler": line(optimizer)} | self.plan
            return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def trained(k, n, **plan):
        model, memory = Model(**plan), Memory()
        lightning.Trainer(
            max_epochs=1,
            accumulate_grad_batches=k,
            accelerator="cpu",
            logger=memory,
            log_every_n_steps=1,
            callbacks=[LearningRateMonitor()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(model, DataLoader(ONES[:n]))
        return model.used, memory.rates

    plain, shown = trained(1, 4, interval="step")
    return {
        "accumulated": trained(2, 8, interval="step")[0],
        "logged": shown[:3],
        "by_default": trained(1, 4)[0],  # interval="epoch"
        "used": plain,
    }


def of_keras():
    import keras

    schedules = keras.optimizers.schedules
    minus = torch.tensor(-1.0)

    def moved(n=8, k=2):
        weight = keras.Variable(0.0)
        plan = schedules.PolynomialDecay(1.0, 4, 0.0)
        optimizer = keras.optimizers.SGD(plan, gradient_accumulation_steps=k)
        optimizer.build([weight])
        at, shown = [0.0], []
        for _ in range(n):
            optimizer.apply([minus], [weight])
            at.append(float(weight.numpy()))
            shown.append(float(optimizer.learning_rate))
        return [b - a for a, b in zip(at, at[1:]) if b != a or k == 1], shown

    warm = schedules.CosineDecay(0.0, 10**9, warmup_target=1.0, warmup_steps=4)
    used, shown = moved(4, None)
    used = moved()[0]
    return {
        "accumulated": used + [0.0] * (4 - len(used)),
        "warm_up": [float(warm(t)) for t in range(6)],
        "logged": shown[:3],
    }


def of_optax():
    import jax.numpy as jnp
    import optax

    plan, zero, minus = optax.linear_schedule(1.0, 0.0, 4), jnp.zeros(()), -jnp.ones(())
    rule = optax.MultiSteps(optax.sgd(plan), 2).gradient_transformation()
    state, used = rule.init(zero), []
    for i in range(8):
        update, state = rule.update(minus, state, zero)
        used += [float(update)] if i % 2 else []
    rule = optax.inject_hyperparams(optax.sgd)(learning_rate=plan)
    state, shown = rule.init(zero), []
    for _ in range(3):
        _, state = rule.update(minus, state, zero)
        shown.append(float(state.hyperparams["learning_rate"]))
    warm = optax.warmup_constant_schedule(0.0, 1.0, 4)
    return {
        "accumulated": used,
        "warm_up": [float(warm(t)) for t in range(6)],
        "logged": shown,
    }


def of_timm():
    from timm.scheduler import CosineLRScheduler

    def first(prefix):  # its scheduler takes the number of the *next* update
        optimizer, used = sgd(), []
        options = {"warmup_t": 4, "warmup_lr_init": 0.0, "warmup_prefix": prefix}
        scheduler = CosineLRScheduler(optimizer, 10, t_in_epochs=False, **options)
        for t in range(6):
            used.append(optimizer.param_groups[0]["lr"])
            scheduler.step_update(t + 1)
        return used

    def in_epochs():  # made without t_in_epochs=False, and stepped after every update
        optimizer, used = sgd(), []
        scheduler = CosineLRScheduler(optimizer, 4)
        for t in range(4):
            used.append(optimizer.param_groups[0]["lr"])
            scheduler.step_update(t + 1)
        return used

    return {"warm_up": first(False), "with_prefix": first(True), "by_default": in_epochs()}


LIBRARIES = {
    "torch": of_torch,
    "transformers": of_transformers,
    "accelerate": of_accelerate,
    "lightning": of_lightning,
    "keras": of_keras,
    "optax": of_optax,
    "timm": of_timm,
}


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    record = {"made_by": "tests/golden/make_loops.py", "versions": {}, "rates": {}}
    for name, run in LIBRARIES.items():
        try:
            record["versions"][name] = version(name)
        except PackageNotFoundError:
            logging.error("%s is not installed: left out", name)
            continue
        record["rates"][name] = {
            question: [float(f"{float(rate):.6g}") for rate in rates]
            for question, rates in run().items()
        }
    text = json.dumps(record, separators=(",", ":")).replace('},"', '},\n"')
    TARGET.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    on_two_processes() if "on two processes" in sys.argv else main()
