"""All scenarios on emulated organizations, each with its own result, and what scenarios are made of."""

from pathlib import Path
from typing import Any

import pytest

from buildspecs.paths import ROOT
from rehearsal import scenarios
from rehearsal.emulator import EmulatorError
from rehearsal.errors import OutcomeError, RehearsalError, UnsupportedError
from rehearsal.rehearse import Options, rehearse
from rehearsal.report.journal import Journal, Step
from rehearsal.scenarios import snapshot
from rehearsal.scenarios.snapshot import Change, Thing
from rehearsal.scenarios.working_copy import WorkingCopy


class Lines:
    """A journal's listener that keeps what was shown, by section."""

    def __init__(self) -> None:
        self.sections: dict[str, list[str]] = {"": []}

    def section(self, title: str) -> None:
        self.sections[title] = []

    def remark(self, text: str) -> None:
        self._keep(text)

    def started(self, title: str) -> None:
        pass

    def line(self, title: str, text: str) -> None:
        pass

    def finished(self, step: Step) -> None:
        self._keep(f"{step.status.value}: {step.title}")
        for line in step.lines:
            self._keep(f"    {line}")

    def _keep(self, text: str) -> None:
        next(reversed(self.sections.values())).append(text)


HALF = len(scenarios.SCENARIOS) // 2


# Each half on its own organization, so that both cores of a machine are used.
@pytest.mark.scenarios
@pytest.mark.parametrize("half", [slice(HALF), slice(HALF, None)], ids=["first half", "second half"])
def test_every_scenario(half: slice, subtests: pytest.Subtests) -> None:
    chosen = scenarios.SCENARIOS[half]
    shown = Lines()
    journal = Journal(shown)
    fault: Exception | None = None
    try:
        rehearse(Options(repository=ROOT, scenarios=chosen), journal)
    except (RehearsalError, EmulatorError) as error:
        fault = error
    for scenario in chosen:
        section = f"Scenario {scenario.name}: {scenario.sentence}"
        with subtests.test(scenario.name):
            steps = shown.sections.get(section)
            assert steps is not None, f"not reached because of: {fault}"
            assert steps[-1] == f"passed: scenario {scenario.name}", "\n".join([f"{fault}", *steps[-30:]])
    assert fault is None


def test_every_scenario_has_its_own_name_and_a_sentence() -> None:
    names = [scenario.name for scenario in scenarios.SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(scenario.sentence.endswith(".") for scenario in scenarios.SCENARIOS)
    assert scenarios.named(names[3]) == [scenarios.SCENARIOS[3]]
    assert list(scenarios.named("all")) == list(scenarios.SCENARIOS)


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedError, match=r"no scenario nothing\..*first-rollout, same-commit.*all"):
        scenarios.named("nothing")


THIS = Thing("stack", "1" * 12, "us-east-1", "a")
OTHER = Thing("stack", "1" * 12, "us-east-1", "b")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {}, set()),
        ({THIS: "1"}, {THIS: "1"}, set()),
        ({THIS: "1"}, {THIS: "2"}, {Change("changed", THIS)}),
        ({THIS: "1"}, {OTHER: "1"}, {Change("deleted", THIS), Change("created", OTHER)}),
    ],
)
def test_two_snapshots_differ_in_what_has_changed(
    before: dict[Thing, str], after: dict[Thing, str], found: set[Change]
) -> None:
    assert snapshot.difference(before, after) == found


def test_every_unexpected_and_every_missing_change_is_named() -> None:
    with pytest.raises(OutcomeError) as error:
        snapshot.expect({Change("changed", THIS)}, {Change("deleted", OTHER)})
    assert error.value.details == (
        f"not expected: changed: stack a ({'1' * 12}, us-east-1)",
        f"missing: deleted: stack b ({'1' * 12}, us-east-1)",
    )


@pytest.mark.parametrize(
    ("stack", "short"),
    [
        ("StackSet-organizations-x-0f0e7a4c-0000-4000-8000-000000000000", "StackSet-organizations-x"),
        ("aws-backup-codepipeline", "aws-backup-codepipeline"),
    ],
)
def test_stacks_of_a_stack_set_lose_their_suffix(stack: str, short: str) -> None:
    assert snapshot.short_name(stack) == short


class Repository:
    """The calls of CodeCommit that a working copy makes."""

    def __init__(self) -> None:
        self.commits: list[dict[str, Any]] = []

    def get_branch(self, **_: str) -> dict[str, Any]:
        return {"branch": {"commitId": str(len(self.commits))}}

    def create_commit(self, **request: Any) -> dict[str, Any]:
        self.commits.append(request)
        return {"commitId": str(len(self.commits))}


def test_a_commit_holds_what_has_changed_since_the_last_one(tmp_path: Path) -> None:
    for name in ("kept.txt", "changed.txt", "deleted.txt", ".hidden", "aws-backup-solution.zip"):
        (tmp_path / name).write_text("old\n")
    repository = Repository()
    copy = WorkingCopy(tmp_path, repository, "it")
    copy.edit("changed.txt", "old", "new")
    copy.write("added.txt", "added")
    (tmp_path / ".hidden").write_text("new")
    (tmp_path / "deleted.txt").unlink()
    assert copy.commit("first") == "1"
    copy.edit("changed.txt", "new", "newer")
    copy.commit("second")
    first, second = repository.commits
    assert (first["parentCommitId"], second["parentCommitId"]) == ("0", "1")
    assert {each["filePath"]: each["fileContent"] for each in first["putFiles"]} == {
        "added.txt": b"added",
        "changed.txt": b"new\n",
    }
    assert first["deleteFiles"] == [{"filePath": "deleted.txt"}]
    assert [each["filePath"] for each in second["putFiles"]] == ["changed.txt"]
    assert second["deleteFiles"] == []


@pytest.mark.parametrize(("text", "times"), [("none here", 0), ("twice and twice", 2)])
def test_a_text_that_a_file_does_not_hold_once_cannot_be_edited(
    tmp_path: Path, text: str, times: int
) -> None:
    (tmp_path / "file").write_text(text)
    copy = WorkingCopy(tmp_path, Repository(), "it")
    with pytest.raises(UnsupportedError, match=f"file holds this {times} times, not once: twice"):
        copy.edit("file", "twice", "once")
