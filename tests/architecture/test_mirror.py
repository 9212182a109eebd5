"""A reader who knows a file knows its test: `src/pupil/losses/icsd.py` is tested in `tests/losses/test_icsd.py`."""

from __future__ import annotations

from pathlib import Path

from pupil.methods import NAMES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pupil"
# A method's file is wiring alone: one contract visits them all, by the names that people type.
CONTRACT = {
    Path("methods", f"{name.replace('-', '_')}.py"): ROOT / "tests" / "methods" / "test_methods.py" for name in NAMES
}


def test_every_file_has_its_test() -> None:
    files = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
    assert len(files) > 40
    tests = {file: CONTRACT.get(file, ROOT / "tests" / file.parent / f"test_{file.name}") for file in files}
    assert set(CONTRACT) <= set(files)
    missing = [f"src/pupil/{file}: write {test.relative_to(ROOT)}" for file, test in tests.items() if not test.exists()]
    assert not missing, f"{len(missing)} files have no test\n" + "\n".join(missing)
