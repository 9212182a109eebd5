"""The options of every training, as one frozen dataclass that the command turns into flags."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pupil.errors import UsageError


def option(default: Any, text: str) -> Any:
    """A field with its one line of help."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, kw_only=True)
class Training:
    """What every training needs to know, whatever its task.

    Learning rates, weights and schedules are functions of progress, so `steps` alone sets the length of a run.
    """

    student: str = option(
        "pupil:tiny", "network to train: FAMILY:NAME (pupil, torchvision, timm, smp, transformers, your module), a run"
    )
    teacher: str | None = option(None, "trained network to learn from: a run folder")
    method: str = option("none", "how to distil, see `pupil methods`")
    settings: tuple[str, ...] = option((), "NAME=VALUE, an option of the method; repeatable")
    trust: str | None = option(None, "package.module:function that a run names and that may be imported")
    data: str = option("drawn", "data folder, package.module:function, or 'drawn' for drawn street scenes")
    labels: int | None = option(None, "keep only this many labelled training images")
    out: str | None = option(None, "run folder to write; default runs/RECIPE-METHOD-SEED")
    seed: int = option(0, "seed of weights, batches and views")
    steps: int = option(1000, "optimizer steps")
    batch_size: int = option(16, "images a step, over all processes together")
    accumulate: int = option(1, "parts that a step's images are worked through in, to need less memory")
    optimizer: Literal["sgd", "adamw"] = option("adamw", "optimizer")
    learning_rate: float = option(2e-3, "highest learning rate")
    weight_decay: float = option(1e-2, "weight decay")
    momentum: float = option(0.9, "momentum (sgd)")
    nesterov: bool = option(False, "Nesterov's momentum (sgd)")
    head_rate: float = option(1.0, "factor on the learning rate of all but the backbone")
    backbone: str | None = option(None, "parts of the student, with commas; default its 'backbone' or 'encoder'")
    schedule: Literal["poly", "cosine", "step", "constant"] = option("cosine", "learning rate over progress")
    milestones: str = option("0.6,0.8", "progress at which the learning rate falls to a tenth (step)")
    warmup: float = option(0.03, "share of the run over which the learning rate rises")
    clip: float = option(5.0, "largest gradient norm; 0 turns clipping off")
    freeze_batch_norm: bool = option(False, "keep the student's batch normalisation as it came")
    sync_batch_norm: bool = option(False, "batch statistics over all processes")
    ema: float = option(0.0, "decay of the averaged student that is validated and saved, e.g. 0.999; 0 turns it off")
    precision: Literal["no", "bf16", "fp16"] = option("no", "automatic mixed precision; losses stay in float32")
    channels_last: bool = option(True, "lay maps out with channels last, which convolutions prefer")
    compile: bool = option(False, "compile student and teacher")
    device: Literal["auto", "cpu"] = option("auto", "where to run; auto takes an accelerator if there is one")
    workers: int = option(0, "processes that load data")
    evaluations: int = option(5, "validations over the run, the last one at its end")
    skip_bad_images: bool = option(False, "replace images that cannot be read, and count them, instead of stopping")
    log_every: int = option(50, "steps between two log lines")
    save_every: int = option(500, "steps between two checkpoints, beside those at validations")
    tracker: Literal["none", "tensorboard", "wandb"] = option("none", "where the log goes beside metrics.jsonl")
    resume: bool = option(False, "go on with the run in --out")
    overwrite: bool = option(False, "replace the run in --out")
    smoke: bool = option(False, "shrink everything: does it run at all?")

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind):
                choices = " or ".join(get_args(kind))
                raise UsageError(f"expected {name} {choices}, got {getattr(self, name)!r}: change --{flag(name)}")
        least_values = {
            "seed": 0,
            "steps": 1,
            "batch_size": 1,
            "accumulate": 1,
            "evaluations": 1,
            "log_every": 1,
            "save_every": 1,
            "workers": 0,
        }
        for name, least in least_values.items():
            if getattr(self, name) < least:
                raise UsageError(f"expected {name} >= {least}, got {getattr(self, name)}: change --{flag(name)}")
        if self.seed >= 2**63:
            raise UsageError(f"expected seed < 2**63, got {self.seed}: change --seed")
        for name in ("learning_rate", "head_rate"):
            if not 0.0 < getattr(self, name) < inf:
                raise UsageError(
                    f"expected {name} > 0, got {getattr(self, name)}: change --{flag(name)} to a finite number"
                )
        if not 0.0 <= self.weight_decay < inf:
            raise UsageError(f"expected a finite weight_decay >= 0, got {self.weight_decay}: change --weight-decay")
        if not self.clip >= 0.0:
            raise UsageError(f"expected clip >= 0, got {self.clip}: 0 turns clipping off")
        for name in ("momentum", "warmup", "ema"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise UsageError(f"expected {name} in [0, 1), got {getattr(self, name)}: change --{flag(name)}")
        if self.batch_size % self.accumulate:
            raise UsageError(
                f"expected --accumulate to divide the {self.batch_size} images of a step, got {self.accumulate}: "
                "change --batch-size or --accumulate"
            )
        if self.labels is not None and self.labels < 1:
            raise UsageError(f"expected labels >= 1, got {self.labels}: change --labels")
        if self.freeze_batch_norm and self.sync_batch_norm:
            raise UsageError("expected --freeze-batch-norm or --sync-batch-norm, got both: choose one")
        if self.nesterov and not self.momentum:
            raise UsageError("expected a momentum with --nesterov, got 0: raise --momentum or leave --nesterov out")
        if self.resume and self.overwrite:
            raise UsageError("expected --resume or --overwrite, got both: choose one")
        self.falls()

    def falls(self) -> tuple[float, ...]:
        """The milestones as numbers.

        Example:
            >>> Training(milestones="0.5,0.75").falls()
            (0.5, 0.75)
        """
        try:
            falls = tuple(float(part) for part in self.milestones.split(","))
        except ValueError:
            falls = ()
        if not falls or list(falls) != sorted(set(falls)) or not all(0.0 < each < 1.0 for each in falls):
            raise UsageError(f"expected rising milestones between 0 and 1, got {self.milestones!r}: e.g. 0.6,0.8")
        return falls

    def record(self) -> dict[str, Any]:
        """The options as they are kept in run.json; how a run was started is no part of what it is."""
        left_out = {"out", "resume", "overwrite", "smoke"}
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in left_out}


def flag(name: str) -> str:
    """The command's spelling of an option: batch_size is --batch-size, and settings come one by one as --set."""
    return "set" if name == "settings" else name.replace("_", "-")
