"""`python -m tests.templates [file …]` prints every finding and exits with 1 if there is one."""

import sys
from pathlib import Path

from tests.templates.checks import findings
from tests.templates.loading import load, repository_templates


def main(files: list[str]) -> int:
    """Check the files, or every template of the repository."""
    found = findings([load(Path(file).resolve()) for file in files] if files else repository_templates())
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
