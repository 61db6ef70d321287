"""`python -m tracegap`, for where the console script is not on the PATH."""

from tracegap.cli import main

main()
