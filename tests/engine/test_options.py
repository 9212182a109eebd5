from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from pupil.engine.options import Training, flag
from pupil.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"steps": 0}, "expected steps >= 1, got 0: change --steps"),
        ({"batch_size": 0}, "expected batch_size >= 1, got 0: change --batch-size"),
        ({"evaluations": 0}, "change --evaluations"),
        ({"log_every": 0}, "change --log-every"),
        ({"workers": -1}, "expected workers >= 0, got -1"),
        ({"seed": -1}, "expected seed >= 0, got -1: change --seed"),
        ({"learning_rate": 0.0}, "expected learning_rate > 0, got 0.0"),
        ({"learning_rate": float("nan")}, "expected learning_rate > 0, got nan"),
        ({"learning_rate": float("inf")}, "expected learning_rate > 0, got inf"),
        ({"weight_decay": -0.1}, "expected a finite weight_decay >= 0, got -0.1: change --weight-decay"),
        ({"momentum": 1.0}, r"expected momentum in \[0, 1\), got 1.0: change --momentum"),
        ({"seed": 2**63}, "expected seed < 2\\*\\*63, got 9223372036854775808"),
        (
            {"freeze_batch_norm": True, "sync_batch_norm": True},
            "expected --freeze-batch-norm or --sync-batch-norm, got both",
        ),
        ({"clip": -1.0}, "expected clip >= 0, got -1.0"),
        ({"warmup": 1.0}, r"expected warmup in \[0, 1\), got 1.0"),
        ({"ema": 1.0}, r"expected ema in \[0, 1\), got 1.0: change --ema"),
        ({"head_rate": 0.0}, "expected head_rate > 0, got 0.0: change --head-rate"),
        ({"accumulate": 0}, "expected accumulate >= 1, got 0"),
        ({"batch_size": 8, "accumulate": 3}, "expected --accumulate to divide the 8 images of a step, got 3"),
        ({"save_every": 0}, "expected save_every >= 1, got 0"),
        ({"milestones": "0.8,0.6"}, "expected rising milestones between 0 and 1, got '0.8,0.6'"),
        ({"milestones": "soon"}, "expected rising milestones between 0 and 1, got 'soon'"),
        ({"tracker": "paper"}, "expected tracker none or tensorboard or wandb, got 'paper'"),
        ({"labels": 0}, "expected labels >= 1, got 0"),
        ({"resume": True, "overwrite": True}, "expected --resume or --overwrite, got both"),
        ({"optimizer": "adam"}, "expected optimizer sgd or adamw, got 'adam': change --optimizer"),
        ({"schedule": "linear"}, "expected schedule poly or cosine or step or constant, got 'linear'"),
        ({"precision": "bfloat16"}, "expected precision no or bf16 or fp16, got 'bfloat16'"),
        ({"device": "cuda"}, "expected device auto or cpu, got 'cuda': change --device"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Training(**settings)


def test_the_defaults_and_the_smallest_values_are_fine() -> None:
    Training()
    Training(seed=0, steps=1, batch_size=1, evaluations=1, log_every=1, workers=0, warmup=0.0, clip=0.0, labels=1)


def test_every_option_has_its_line_of_help() -> None:
    assert all(each.metadata["help"] for each in fields(Training))


def test_options_cannot_change_underway() -> None:
    with pytest.raises(FrozenInstanceError):
        Training().steps = 3  # type: ignore[misc]


def test_the_record_says_what_a_run_is_and_not_how_it_was_started() -> None:
    record = Training(settings=("share=2",), overwrite=True, out="runs/a").record()
    assert set(record) == {each.name for each in fields(Training)} - {"out", "resume", "overwrite", "smoke"}
    assert json.loads(json.dumps(record))["settings"] == ["share=2"]


def test_flags_are_spelled_as_on_the_command_line() -> None:
    assert flag("batch_size") == "batch-size"
