"""`python -m council` is `council`."""

from council.cli import main

if __name__ == "__main__":
    main()
