"""`python -m tests.templates [file …]` prints every finding and exits with 1 if there is one.

`python -m tests.templates --suppressions` prints what the templates suppress of public analysers, and why.
"""

import sys
from pathlib import Path

from tests.templates.checks import findings, suppressed
from tests.templates.loading import load, repository_templates


def main(arguments: list[str]) -> int:
    """Check the files, or every template of the repository."""
    files = [argument for argument in arguments if not argument.startswith("--")]
    templates = [load(Path(file).resolve()) for file in files] if files else repository_templates()
    if "--suppressions" in arguments:
        rows = [(template.path, *row) for template in templates for row in suppressed(template)]
        sys.stdout.writelines(
            f"{path}: {name}: {tool} {rule}: {why}\n" for path, name, tool, rule, why in rows
        )
        sys.stdout.write(f"{len(rows)} suppressions\n")
        return 0
    found = findings(templates)
    sys.stdout.writelines(f"{finding}\n" for finding in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
