"""The operator's working copy: its files are edited, and committed to the repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from buildspecs.names import ARCHIVE
from rehearsal.errors import UnsupportedError
from rehearsal.readme import workspace

_BRANCH: Final = "main"


class WorkingCopy:
    """`folder` is the clone whose files are the repository's first commit.

    As in the README's archive, hidden files and folders at the top are not in the repository.
    """

    def __init__(self, folder: Path, codecommit: Any, repository: str) -> None:
        self._folder = folder
        self._codecommit = codecommit
        self._repository = repository
        self._committed = self._files()

    def read(self, path: str) -> str:
        return (self._folder / path).read_text()

    def write(self, path: str, text: str) -> None:
        (self._folder / path).write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that the file holds once. Raises UnsupportedError if it does not."""
        text = self.read(path)
        if text.count(old) != 1:
            raise UnsupportedError(f"{path} holds this {text.count(old)} times, not once: {old.strip()}")
        self.write(path, text.replace(old, new))

    def set_targets(self, values: Mapping[str, str]) -> None:
        """Put values into aws-backup-ssm-targets.json."""
        self._put(workspace.TARGETS, "Parameters", values)

    def add_tag(self, path: str, key: str, value: str) -> None:
        """Put a stack tag into a template configuration: the targets file, or templates/tags.json."""
        self._put(path, "Tags", {key: value})

    def commit(self, message: str) -> str:
        """Commit every change to the branch main, as a push does; returns the commit ID."""
        files = self._files()
        changed = [path for path, content in files.items() if self._committed.get(path) != content]
        branch = self._codecommit.get_branch(repositoryName=self._repository, branchName=_BRANCH)["branch"]
        commit = self._codecommit.create_commit(
            repositoryName=self._repository,
            branchName=_BRANCH,
            parentCommitId=branch["commitId"],
            commitMessage=message,
            putFiles=[{"filePath": path, "fileContent": files[path]} for path in changed],
            deleteFiles=[{"filePath": path} for path in self._committed.keys() - files.keys()],
        )
        self._committed = files
        return str(commit["commitId"])

    def _put(self, path: str, part: str, values: Mapping[str, str]) -> None:
        document = json.loads(self.read(path))
        document[part].update(values)
        self.write(path, json.dumps(document, indent=2) + "\n")

    def _files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self._folder).as_posix(): path.read_bytes()
            for path in sorted(self._folder.rglob("*"))
            if path.is_file() and self._is_packed(path.relative_to(self._folder))
        }

    def _is_packed(self, path: Path) -> bool:
        hidden = path.parts[0].startswith(".") or "__pycache__" in path.parts
        return not hidden and path.name != ARCHIVE
