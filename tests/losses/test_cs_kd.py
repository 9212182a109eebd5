from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.losses import cs_kd_loss


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_equals_the_loop_over_pairs(temperature):
    student, _ = pair(6, 5)
    rows = student.tolist()
    pairs = [(rows[place], rows[place + 3]) for place in range(3)]
    expected = sum(kl(softmax(other, temperature), softmax(own, temperature)) for own, other in pairs) / 3
    loss = cs_kd_loss(student, temperature=temperature)
    assert loss.item() == pytest.approx(temperature**2 * expected, rel=1e-9)


def test_the_second_half_is_a_target():
    student, _ = pair(6, 5)
    (gradient,) = torch.autograd.grad(cs_kd_loss(student), student)
    assert gradient[:3].any(dim=1).all()
    assert not gradient[3:].any()
    first, second = student.detach().chunk(2)
    assert gradcheck(lambda logits: cs_kd_loss(torch.cat([logits, second])), first.clone().requires_grad_())


@pytest.mark.parametrize("shape", [(3, 5), (4, 5, 2, 2), (0, 5)])
def test_refuses_what_is_no_batch_of_pairs(shape):
    with pytest.raises(UsageError, match=r"expected logits \(N, K\) of pairs, N even, got .*AnchoredBatches"):
        cs_kd_loss(torch.zeros(shape))
    with pytest.raises(UsageError, match="softmax over one class"):
        cs_kd_loss(torch.zeros(4, 1))
