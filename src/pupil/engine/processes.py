"""Several processes that train one student: what they must agree on, and what each keeps for itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration, broadcast, gather_object
from torch import Tensor, nn

from pupil.engine.options import Training
from pupil.errors import UsageError


def make_accelerator(options: Training, folder: Path | None = None) -> Accelerator:
    """Device, precision and processes: from the options, and from what `torchrun` or `accelerate launch` set.

    Args:
        options: device, precision and tracker.
        folder: where a tracker that writes files writes them.

    Raises:
        UsageError: for a precision that this device does not have, and a tracker that is not installed.
    """
    tracker = None if options.tracker == "none" else options.tracker
    if tracker and importlib.util.find_spec(tracker) is None:
        raise UsageError(
            f'expected {tracker} for --tracker {tracker}, got no such package: pip install "pupil-kd[{tracker}]"'
        )
    # Accelerate keeps the first one's settings for the whole process; the next training may have its own.
    AcceleratorState._reset_state(reset_partial_state=True)
    place = None if folder is None else str(folder)
    try:
        return Accelerator(
            # Left to itself, Accelerate takes processes without a GPU for strangers.
            cpu=options.device == "cpu" or not torch.accelerator.is_available(),
            mixed_precision=options.precision,
            log_with=tracker,
            project_config=ProjectConfiguration(project_dir=place, logging_dir=place),
        )
    except ValueError as error:
        raise UsageError(f"cannot train with --precision {options.precision} here: {error}") from None


def with_synchronized_batch_norm(student: nn.Module, options: Training, accelerator: Accelerator) -> nn.Module:
    """The student with batch statistics over all processes, where the options ask for it.

    Raises:
        UsageError: on a CPU, where torch has no such layer.
    """
    if not options.sync_batch_norm or accelerator.num_processes == 1:
        return student
    if accelerator.device.type == "cpu":
        raise UsageError("expected GPUs for --sync-batch-norm, got CPUs: leave it out, or pass --freeze-batch-norm")
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(student)  # type: ignore[no-untyped-call]
    return converted


def refuse_unlike(teacher: object, accelerator: Accelerator) -> None:
    """Refuse to train where the teacher, which nobody broadcasts, is not the same in every process.

    Raises:
        UsageError: naming the processes whose teacher differs from the first one's.
    """
    model = getattr(teacher, "model", None)
    if accelerator.num_processes == 1 or not isinstance(model, nn.Module):
        return
    values = [each.detach().double() for each in (*model.parameters(), *model.buffers())]
    sums = torch.stack([part for each in values for part in (each.sum(), each.square().sum())]).tolist()
    found = gather_object([sums])
    unlike = [rank for rank, other in enumerate(found) if other != found[0]]
    if unlike:
        raise UsageError(
            f"expected the same teacher in all {len(found)} processes, got another in {unlike}: "
            "give every machine the same run folder"
        )


def share_buffers(model: nn.Module, accelerator: Accelerator) -> None:
    """Give every process the first one's buffers, which data parallel training does only before a forward pass."""
    if accelerator.num_processes > 1:
        for buffer in model.buffers():
            broadcast(buffer)


def share_marks(marks: Tensor, accelerator: Accelerator) -> None:
    """Set what any process has set, in place; bools on the CPU."""
    if accelerator.num_processes > 1:
        marks |= torch.stack(gather_object([marks.clone()])).any(0)


def any_process(flag: bool, accelerator: Accelerator) -> bool:
    """Whether the flag is up in any process."""
    return any(gather_object([flag]))
