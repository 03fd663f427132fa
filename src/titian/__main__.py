"""`python -m titian`."""

from titian.cli import main

if __name__ == "__main__":
    main()
