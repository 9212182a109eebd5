from __future__ import annotations

from contextlib import suppress

from torch import nn

from pupil.networks.modes import evaluating


def test_every_module_returns_to_its_own_mode_also_after_an_error() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(nn.Dropout()))
    model[0].eval()
    with suppress(RuntimeError), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise RuntimeError
    assert [module.training for module in model.modules()] == [True, False, True, True]
