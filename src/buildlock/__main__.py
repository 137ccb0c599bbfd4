"""`python -m buildlock`."""

from buildlock.cli import run_program

if __name__ == "__main__":
    run_program()
