"""`python -m buildlock`."""

from buildlock.cli import main

if __name__ == "__main__":
    main()
