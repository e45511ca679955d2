"""`python -m buildspecs.packaging`: see publish.py."""

import sys

from buildspecs.packaging.publish import main

sys.exit(main())
