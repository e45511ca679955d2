"""The journal, and its display."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from rehearsal.emulator import Denied
from rehearsal.errors import ActionError, OutcomeError
from rehearsal.report.display import Display, accounts_tree
from rehearsal.report.journal import Holding, Journal, Status

DENIED = Denied(
    time=9e12,
    account="1",
    principal="role/x",
    action="s3:GetObject",
    resource="arn:aws:s3:::b/k",
    reason="why",
)


class Screen:
    """A journal with a display on a plain console or a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, force_terminal=terminal, width=200, color_system=None)
        self.display = Display(self.console)
        self.journal = Journal(self.display)

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_a_step_is_displayed_with_its_summary(screen: Screen) -> None:
    screen.journal.section("Deploy")
    with screen.journal.step("Stage · Action") as step:
        step.say("half way")
        step.summary = "stack created"
    assert screen.text.splitlines() == [
        "", "Deploy", "      Action: half way", "  ✓ Stage · Action  stack created",
    ]  # fmt: skip
    (recorded,) = screen.journal.steps
    assert (recorded.section, recorded.status, recorded.lines) == ("Deploy", Status.PASSED, ("half way",))


def test_a_failed_step_shows_its_reason_and_the_calls_denied_meanwhile(screen: Screen) -> None:
    screen.journal.denied = lambda: [DENIED, DENIED]
    error = ActionError("no bucket", "line one\nline two")
    with pytest.raises(ActionError), screen.journal.step("Package"):
        raise error
    screen.display.failure(error)
    assert screen.text.splitlines() == [
        "  ✗ Package (failed)",
        "      no bucket",
        "      line one",
        "      line two",
        "      denied: s3:GetObject on arn:aws:s3:::b/k by role/x (why)",
        "The rehearsal failed: no bucket",
    ]
    assert screen.journal.steps[0].denied == (DENIED, DENIED)


def test_calls_denied_before_a_step_are_not_its_own(screen: Screen) -> None:
    early = Denied(1.0, "1", "role/x", "s3:PutObject", "*", "why")
    screen.journal.denied = lambda: [early]
    with pytest.raises(ActionError), screen.journal.step("Package"):
        raise ActionError("no bucket")
    assert screen.journal.steps[0].denied == ()


def test_a_failure_outside_a_step_shows_its_details(screen: Screen) -> None:
    screen.display.failure(OutcomeError("one", "two"))
    assert screen.text.splitlines() == ["The rehearsal failed: one", "      two"]


def test_an_expected_failure_is_shown_as_one(screen: Screen) -> None:
    screen.journal.denied = lambda: [DENIED]
    with screen.journal.step("Last stage") as step:
        step.failed(ActionError("no role yet"), Status.EXPECTED_FAILURE)
    assert screen.text.splitlines()[:2] == [
        "  ✓ Last stage (failed as expected)",
        "      no role yet",
    ]
    assert screen.journal.steps[0].status is Status.EXPECTED_FAILURE
    assert screen.journal.unexpected() == []


def test_any_other_denied_call_is_unexpected(screen: Screen) -> None:
    screen.journal.denied = lambda: [DENIED]
    with screen.journal.step("Stage"):
        pass
    assert screen.journal.unexpected() == [DENIED]


def test_an_unexpected_error_is_recorded_with_its_type(screen: Screen) -> None:
    with pytest.raises(ZeroDivisionError), screen.journal.step("Stage"):
        raise ZeroDivisionError("by zero")
    assert screen.journal.steps[0].status is Status.FAILED
    assert screen.journal.steps[0].reason == ("ZeroDivisionError: by zero",)


def test_an_interruption_is_recorded_and_raised_again(screen: Screen) -> None:
    with pytest.raises(KeyboardInterrupt), screen.journal.step("Stage"):
        raise KeyboardInterrupt
    assert screen.journal.steps[0].status is Status.INTERRUPTED


def test_a_closed_journal_records_nothing_more(screen: Screen) -> None:
    screen.journal.close()
    with pytest.raises(ActionError), screen.journal.step("Stage"):
        raise ActionError("killed")
    assert screen.text == ""
    assert screen.journal.steps == []


def test_denied_calls_are_still_known_after_the_organization_has_stopped(screen: Screen) -> None:
    with screen.journal.watching(lambda: [DENIED]):
        pass
    assert screen.journal.result().denied == (DENIED,)


def test_an_organization_that_stops_early_hides_no_failure(screen: Screen) -> None:
    def gone() -> list[Denied]:
        raise ConnectionRefusedError

    with pytest.raises(ActionError), screen.journal.watching(gone), screen.journal.step("Stage"):
        raise ActionError("the cause")
    assert screen.journal.steps[0].reason == ("the cause",)


def test_a_terminal_shows_the_running_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb one shows no line that changes
    screen = Screen(terminal=True)
    with screen.display, screen.journal.step("Stage [x] · Action"):
        screen.display._live.refresh()  # type: ignore[union-attr] # a terminal has one
    assert "Stage [x] · Action  0 s" in screen.text


def test_the_tree_groups_by_account_and_region(screen: Screen) -> None:
    holdings = [
        Holding("home", "2", "", "role", "A"),
        Holding("home", "2", "us-east-2", "package", "B [1]"),
        Holding("member-1", "4", "us-east-1", "vault", "C"),
        Holding("home", "2", "us-east-1", "function", "D"),
        Holding("home", "2", "us-east-2", "package", "E"),
    ]
    screen.console.print(accounts_tree(holdings))
    assert [line.strip("│├└─ ") for line in screen.text.splitlines()] == [
        "Organization",
        "home account 2",
        "global",
        "role: A",
        "us-east-1",
        "function: D",
        "us-east-2",
        "package: B [1]",
        "package: E",
        "member-1 account 4",
        "us-east-1",
        "vault: C",
    ]


def test_the_end_counts_the_steps_that_ran(screen: Screen) -> None:
    with screen.journal.step("Stage"):
        pass
    screen.journal.note("cfn_nag_scan", Status.NOT_RUN, "it needs RubyGems")
    screen.display.end(screen.journal.result())
    assert "  - cfn_nag_scan (not run here)\n      it needs RubyGems\n" in screen.text
    assert screen.text.splitlines()[-1] == "The rehearsal succeeded: 1 steps in 0 s."


def test_announced_denials_are_not_faults_and_all_others_are(screen: Screen) -> None:
    planned = replace(DENIED, action="dynamodb:TagResource")
    earlier = replace(planned, time=1.0)
    refused = [earlier]
    screen.journal.denied = lambda: list(refused)
    with screen.journal.announced(lambda entry: entry.action == planned.action) as found:
        refused += [planned, DENIED]
        assert found() == [planned]
    refused.append(replace(planned, time=9.1e12))
    assert screen.journal.unexpected() == [earlier, DENIED, replace(planned, time=9.1e12)]
