"""Sums over rows are the same in one piece and in chunks, gradients included."""

from __future__ import annotations

import torch

from pupil.functional import row_chunks


def test_chunks_give_the_same_sum_and_gradient(monkeypatch):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True), torch.randn(2, 7, 4).double()
    seen = []

    def term(ours, theirs):
        seen.append(ours.shape[-2])
        return (ours.exp().sum() * theirs.sum((-2, -1)).square()).sum() * 0 + (ours @ student.mT).exp().sum()

    results = []
    for most in (10**6, 30):
        monkeypatch.setattr(row_chunks, "MOST_ELEMENTS", most)
        total = row_chunks.sum_over_rows(term, student, teacher, elements_per_row=10)
        results.append((total, torch.autograd.grad(total, student)[0]))
    torch.testing.assert_close(*results)
    assert seen[:4] == [7, 3, 3, 1]
