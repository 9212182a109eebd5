from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from pupil.engine.checkpoint import FILE, load_checkpoint, random_states, save_checkpoint, set_random_states
from pupil.errors import UsageError

STATE = {
    "step": 3,
    "best": float("-inf"),
    "scores": {"miou": 0.5},
    "names": ["a", "b"],
    "weights": {"layer": torch.arange(3.0)},
}


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, STATE)
    read = load_checkpoint(tmp_path)
    assert torch.equal(read.pop("weights")["layer"], torch.arange(3.0))
    assert read == {name: value for name, value in STATE.items() if name != "weights"}
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["state.pt"]


def test_an_optimizer_makes_the_round_trip(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter], lr=0.1)
    parameter.sum().backward()
    optimizer.step()
    save_checkpoint(tmp_path, {"optimizer": optimizer.state_dict()})
    twin = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
    twin.load_state_dict(load_checkpoint(tmp_path)["optimizer"])
    assert str(twin.state_dict()) == str(optimizer.state_dict())


def one_line(tmp_path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    save_checkpoint(tmp_path, STATE)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert "got a broken or foreign file: start over with --overwrite" in one_line(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"hello there, this is text\n", b"\x80\x02c__builtin__\n", bytes(range(256)), b"\x80\x05.", b"PK\x03\x04"],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(content)
    assert "got a broken or foreign file" in one_line(tmp_path)


class Touching:
    """Unpickled carelessly, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [torch.save, lambda state, path: path.write_bytes(pickle.dumps(state))])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path, write: object) -> None:
    (tmp_path / FILE).parent.mkdir()
    write({"step": Touching(tmp_path / "executed")}, tmp_path / FILE)
    message = one_line(tmp_path)
    assert "expected a checkpoint of plain data" in message
    assert "weights_only" not in message
    assert not (tmp_path / "executed").exists()


def test_plain_data_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    torch.save([1, 2], tmp_path / FILE)
    assert "got list: start over" in one_line(tmp_path)


def test_without_a_checkpoint_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert "got none: start over with --overwrite" in one_line(tmp_path)


@pytest.mark.parametrize("broken", ["save", "fsync"])
def test_the_previous_one_stands_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    save_checkpoint(tmp_path, {"step": 1})

    def power_cut(*args: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(torch if broken == "save" else os, broken, power_cut)
        with pytest.raises(OSError, match="power cut"):
            save_checkpoint(tmp_path, {"step": 2})
    assert load_checkpoint(tmp_path) == {"step": 1}
    save_checkpoint(tmp_path, {"step": 3})
    assert load_checkpoint(tmp_path) == {"step": 3}


def test_the_random_state_goes_on_where_it_was() -> None:
    device = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        states = random_states(device)
        expected = torch.rand(3)
        set_random_states(states, device)
        assert torch.equal(torch.rand(3), expected)
