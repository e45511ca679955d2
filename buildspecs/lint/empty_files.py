"""Whether the folder can become the repository: none of its files is empty.

`python -m buildspecs.lint.empty_files` names every empty file that the README's `zip -r … *` packs, and
exits with 1 if there is one. CodeCommit creates no repository from an archive that holds an empty file
(https://github.com/aws/aws-cdk/issues/19012), so stack 11 would fail. It does not use git: a build's source
has no history, and the zip packs untracked files, too.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from buildspecs.paths import ROOT


def packed(root: Path) -> Iterator[Path]:
    """The files that the README's command packs: all but dotfiles at the top and Python's caches."""
    for top in sorted(root.glob("[!.]*")):
        for path in [top, *sorted(top.rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.relative_to(root).as_posix():
                yield path


def faults(root: Path) -> list[str]:
    """One line for each empty file; none if CodeCommit accepts the archive."""
    return [
        f"{path.relative_to(root).as_posix()}: is empty, and CodeCommit refuses an archive with"
        " an empty file: write a line into it or delete it"
        for path in packed(root)
        if path.stat().st_size == 0
    ]


def main(root: Path = ROOT) -> int:
    """Print the faults; 1 if there is one."""
    found = faults(root)
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
