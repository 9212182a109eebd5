"""`python -m pupil`, which launchers such as `torchrun -m pupil` need."""

from pupil.cli import main

if __name__ == "__main__":
    main()
