"""Teachers: whatever turns a lesson into activations."""

from pupil.teachers.auxiliary import AuxiliaryTeacher
from pupil.teachers.batch_ensemble import BatchEnsembleTeacher
from pupil.teachers.frozen import FrozenTeacher
from pupil.teachers.momentum import MomentumTeacher

__all__ = ["AuxiliaryTeacher", "BatchEnsembleTeacher", "FrozenTeacher", "MomentumTeacher"]
