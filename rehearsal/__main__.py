"""`python -m rehearsal`: the command behind `make rehearse`."""

import sys

from rehearsal.machine import environment

if __name__ == "__main__":
    environment.seclude()
    from rehearsal.command_line import main

    sys.exit(main(sys.argv[1:]))
