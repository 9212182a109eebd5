from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor

from pupil.engine.monitor import Monitor, NonFiniteError
from pupil.errors import UsageError


def terms(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}


def test_each_reading_gives_the_means_since_the_last() -> None:
    monitor = Monitor()
    for step, (task, kd) in enumerate([(1.0, 4.0), (3.0, 5.0)]):
        monitor.update(terms(task=task, kd=kd), step)
    assert monitor.read() == {"task": 2.0, "kd": 4.5}
    monitor.update(terms(task=7.0, kd=0.0), 2)
    assert monitor.read() == {"task": 7.0, "kd": 0.0}


def test_no_step_no_means() -> None:
    monitor = Monitor()
    assert monitor.read() == {}
    monitor.update(terms(task=1.0), 0)
    monitor.read()
    assert monitor.read() == {}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_first_bad_term_and_its_step_are_named(bad: float) -> None:
    monitor = Monitor()
    for step, kd in enumerate([1.0, 1.0, bad, 1.0, bad]):
        monitor.update(terms(task=bad if step == 4 else 1.0, kd=kd), step)
    with pytest.raises(UsageError, match="got NaN or infinity in term 'kd' at step 2: lower --learning-rate"):
        monitor.read()


def test_updates_read_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor()

    def read_back(*args: object) -> None:
        raise AssertionError("the device had to wait")

    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
            patch.setattr(Tensor, name, read_back)
        for step in range(3):
            monitor.update(terms(task=float(step)), step)
        with pytest.raises(AssertionError, match="had to wait"):
            monitor.read()
    assert monitor.read() == {"task": 1.0}


def test_sums_stay_on_the_terms_device_and_out_of_the_graph() -> None:
    monitor = Monitor()
    monitor.update({"task": torch.ones((), dtype=torch.bfloat16, requires_grad=True)}, 0)
    for _ in range(300):
        monitor.update({"task": torch.ones((), dtype=torch.bfloat16)}, 1)
    # bfloat16 would have stopped counting at 256.
    assert monitor.read() == {"task": 1.0}
    assert not monitor._sum.requires_grad


def test_the_error_reaches_another_process_whole() -> None:
    error = NonFiniteError("term 'kd'", 7, ", first in student.0")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.where, copy.step) == (str(error), "term 'kd'", 7)
