"""`python -m tests.templates [file …]` prints every finding and exits with 1 if there is one."""

import sys
from pathlib import Path

from tests.templates.checks import ascii_only, findings
from tests.templates.loading import documents, load, repository_templates


def main(files: list[str]) -> int:
    """Check the files, or every template of the repository and the documents beside them."""
    templates = [load(Path(file).resolve()) for file in files] if files else repository_templates()
    found = findings(templates)
    if not files:
        found += [finding for document in documents() for finding in ascii_only(document)]
    sys.stdout.writelines(f"{finding}\n" for finding in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
