"""`python -m buildspecs.lint`: see gates.py."""

import sys

from buildspecs.lint.gates import main

if __name__ == "__main__":  # a process of a gate may import this module
    sys.exit(main())
