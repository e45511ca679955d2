"""`python -m buildspecs.lint.rules [FILE …]` prints what the rules find in files or in the repository."""

import sys

from buildspecs.errors import exit_code
from buildspecs.lint.rules import main

if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(sys.argv[1:])))
