"""Which tags a restored resource gets. Pure: no AWS access.

Sources: the reserved prefix and the limit of 50 tags,
https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html; the tag of restore
tests, https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Tags = Mapping[str, str]

MAX_TAGS = 50
# By this tag AWS Backup finds, and deletes, what a restore test created.
RESTORE_TEST_TAG = "awsbackup-restore-test"


@dataclass(frozen=True)
class Exclusions:
    """Keys that are never copied: exact, or with `*` for any text."""

    patterns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Exclusions":
        """From a comma-separated list; spaces around the commas are ignored."""
        return cls(tuple(part.strip() for part in text.split(",") if part.strip()))

    def match(self, key: str) -> bool:
        """Whether `key` is excluded."""
        return any(
            re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), key, re.DOTALL)
            for pattern in self.patterns
        )


@dataclass(frozen=True)
class TagPlan:
    """What to `write` to the restored resource, and the keys that it does not get: `left_out` beyond its
    limit, `withheld` because they would select it for backup."""

    write: dict[str, str]
    left_out: tuple[str, ...]
    withheld: tuple[str, ...] = ()


def reserved(key: str) -> bool:
    """Whether only AWS may write this key. AWS rejects a whole call for one such key."""
    return key.lower().startswith("aws:")


def plan(
    source: Tags,
    restored: Tags,
    exclusions: Exclusions,
    overwrite: bool,
    withhold: frozenset[str] = frozenset(),
) -> TagPlan:
    """What to write so that `restored` has the tags of `source`, except the keys in `withhold`.

    A key that the restored resource has keeps its value unless `overwrite`. What a restore test created gets
    nothing. Reserved keys do not count towards MAX_TAGS. Beyond the limit, the first keys in alphabetical
    order are written, so that a second run has the same result.
    """
    if RESTORE_TEST_TAG in restored:
        return TagPlan({}, ())
    wanted = {
        key: value
        for key, value in sorted(source.items())
        if not reserved(key) and key != RESTORE_TEST_TAG and not exclusions.match(key)
    }
    changed = [key for key, value in wanted.items() if overwrite and restored.get(key, value) != value]
    new = [key for key in wanted if key not in restored]
    withheld = tuple(key for key in (*changed, *new) if key in withhold)
    new = [key for key in new if key not in withhold]
    room = max(0, MAX_TAGS - sum(not reserved(key) for key in restored))
    return TagPlan(
        write={key: wanted[key] for key in (*changed, *new[:room]) if key not in withhold},
        left_out=tuple(new[room:]),
        withheld=withheld,
    )
