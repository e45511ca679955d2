"""A stand-in for the program `zip`, for machines without it. It supports what the README's command uses:

    zip -r ARCHIVE FILES… -FS -x PATTERNS…

-r includes what is in folders; -FS makes an existing archive hold exactly these files; -x excludes names that
match (`*` and `?` also match `/`, as in Info-ZIP). Anything else is refused.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USAGE: Final = "the rehearsal's stand-in for zip supports only: zip -r ARCHIVE FILES… [-FS] [-x PATTERNS…]"
_NOTHING_TO_DO: Final = 12  # Info-ZIP's exit code
_NOT_FOUND: Final = 18


@dataclass(frozen=True)
class Request:
    archive: Path
    names: tuple[str, ...]
    patterns: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Request:
    """Raises ValueError for an option that the stand-in does not support."""
    names: list[str] = []
    patterns: list[str] = []
    recursive, target = False, names
    for argument in arguments:
        if argument == "-r":
            recursive, target = True, names
        elif argument == "-FS":
            target = names
        elif argument == "-x":
            target = patterns
        elif argument.startswith("-"):
            raise ValueError(f"unknown option {argument}; {USAGE}")
        else:
            target.append(argument)
    if not recursive or len(names) < 2:
        raise ValueError(USAGE)
    archive = Path(names[0])
    return Request(
        archive if archive.suffix else archive.with_suffix(".zip"), tuple(names[1:]), tuple(patterns)
    )


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(
        "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern), re.DOTALL
    )


def entries(request: Request) -> Iterator[tuple[str, Path]]:
    """Name in the archive (folders end with /) and path of everything to pack, without the archive itself."""
    excluded = [_pattern(pattern) for pattern in request.patterns]
    archive = request.archive.resolve()
    for name in request.names:
        top = Path(name)
        for path in [top, *(sorted(top.rglob("*")) if top.is_dir() else [])]:
            entry = f"{path.as_posix()}/" if path.is_dir() else path.as_posix()
            if path.resolve() != archive and not any(pattern.fullmatch(entry) for pattern in excluded):
                yield entry, path


def pack(request: Request) -> int:
    """Write a new archive; returns the number of entries."""
    found = dict(entries(request))
    temporary = request.archive.with_name(f".{request.archive.name}.new")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name, path in found.items():
            print(f"  adding: {name}")  # noqa: T201 - what zip prints
            archive.write(path, name)
    temporary.replace(request.archive)
    return len(found)


def main(arguments: Sequence[str]) -> int:
    try:
        request = parse(arguments)
    except ValueError as error:
        print(f"zip error: {error}", file=sys.stderr)  # noqa: T201
        return 16
    missing = [name for name in request.names if not Path(name).exists()]
    if missing:
        print(f"zip error: name not matched: {', '.join(missing)}", file=sys.stderr)  # noqa: T201
        return _NOT_FOUND
    print("zip is not installed: the rehearsal's stand-in packs the archive")  # noqa: T201
    return 0 if pack(request) else _NOTHING_TO_DO


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
