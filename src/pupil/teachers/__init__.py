"""Teachers: whatever turns a lesson into activations."""

from pupil.teachers.frozen import FrozenTeacher

__all__ = ["FrozenTeacher"]
