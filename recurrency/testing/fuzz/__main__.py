"""`python -m recurrency.testing.fuzz`: see `command`."""

from recurrency.testing.fuzz.command import main

if __name__ == "__main__":
    main()
