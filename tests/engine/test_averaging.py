from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.engine.averaging import MovingAverage


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2)).double().train()


def step(student: nn.Module) -> None:
    """As a step would: weights move, and BatchNorm sees a batch."""
    with torch.no_grad():
        for each in student.parameters():
            each.add_(torch.randn_like(each))
        student(torch.randn(6, 3, dtype=torch.float64))


def test_agrees_with_the_formula_written_out() -> None:
    student = network()
    average, expected = MovingAverage(student, decay=0.3), {k: v.clone() for k, v in student.state_dict().items()}
    for updates in range(6):
        step(student)
        average.update(student)
        decay = min(0.3, (1 + updates) / (10 + updates))
        for name, value in student.state_dict().items():
            mixed = decay * expected[name] + (1 - decay) * value
            expected[name] = mixed if value.is_floating_point() else value.clone()
    found = average.network.state_dict()
    assert found["1.num_batches_tracked"] == 6
    assert not torch.equal(found["0.weight"], student[0].weight)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)


def test_it_neither_trains_nor_changes_the_student() -> None:
    student = network()
    average = MovingAverage(student, decay=0.9)
    step(student)
    before = {name: each.clone() for name, each in student.state_dict().items()}
    average.update(student)
    assert all(torch.equal(each, before[name]) for name, each in student.state_dict().items())
    assert student.training
    assert not any(module.training for module in average.network.modules())
    assert not any(each.requires_grad for each in average.network.parameters())


def test_what_does_not_move_stays_bit_identical() -> None:
    student = network().float()
    average = MovingAverage(student, decay=0.999)
    for _ in range(20):
        average.update(student)
    assert all(torch.equal(each, average.network.state_dict()[name]) for name, each in student.state_dict().items())


def test_a_mask_of_infinities_is_no_average() -> None:
    student = nn.Linear(2, 2)
    student.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    average = MovingAverage(student, decay=0.5)
    average.update(student)
    assert torch.equal(average.network.mask, student.mask)


def test_it_goes_on_from_its_state_to_the_same_bits() -> None:
    student = network()
    average, twin = MovingAverage(student, decay=0.9), MovingAverage(network(), decay=0.9)
    for _ in range(3):
        step(student)
        average.update(student)
    twin.load_state_dict(average.state_dict())
    step(student)
    for each in (average, twin):
        each.update(student)
    assert twin.updates == average.updates == 4
    ours, theirs = average.network.state_dict(), twin.network.state_dict()
    assert all(torch.equal(each, theirs[name]) for name, each in ours.items())


@pytest.mark.parametrize("updates", [1, 3])
def test_an_update_reads_nothing_back(monkeypatch: pytest.MonkeyPatch, updates: int) -> None:
    student = network()
    average = MovingAverage(student, decay=0.9)

    def read_back(*args: object) -> None:
        raise AssertionError("the device had to wait")

    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
            patch.setattr(torch.Tensor, name, read_back)
        for _ in range(updates):
            average.update(student)
