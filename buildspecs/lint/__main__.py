"""`python -m buildspecs.lint`: see gates.py."""

import sys

from buildspecs.lint.gates import main

sys.exit(main())
