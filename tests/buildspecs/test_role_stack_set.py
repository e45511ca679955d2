"""The ARN of a role's StackSet is exported as AWS returns it, and a refusal says what to do."""

from pathlib import Path

import pytest
from botocore.stub import Stubber

from buildspecs import role_stack_set
from buildspecs.names import MEMBER_ROLE_SET, ROLE_SETS, STACKSETS, TAG_ROLE_SET, wrapper
from buildspecs.pipeline_variables import FILE
from rehearsal.machine import environment

ARN = f"arn:aws:cloudformation:us-east-1:777788889999:stackset/{MEMBER_ROLE_SET}:0a1b2c3d-0000-4000-8000"


class Delegated:
    """A session whose one CloudFormation client is stubbed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = environment.session("us-east-1")
        client = self.session.client("cloudformation")
        monkeypatch.setattr(self.session, "client", lambda *_, **__: client)
        self.stub = Stubber(client)


@pytest.fixture
def delegated(monkeypatch: pytest.MonkeyPatch) -> Delegated:
    return Delegated(monkeypatch)


def test_the_arn_is_looked_up_as_delegated_administrator_and_exported(
    delegated: Delegated, tmp_path: Path
) -> None:
    with delegated.stub as stub:
        stub.add_response(
            "describe_stack_set",
            {"StackSet": {"StackSetName": MEMBER_ROLE_SET, "StackSetARN": ARN}},
            {"StackSetName": MEMBER_ROLE_SET, "CallAs": "DELEGATED_ADMIN"},
        )
        assert role_stack_set.main([MEMBER_ROLE_SET], session=delegated.session, root=tmp_path) == 0
    assert (tmp_path / FILE).read_text() == f"export ROLE_STACK_SET_ARN={ARN}\n"


@pytest.mark.parametrize(
    ("name", "code", "message", "words"),
    [
        (
            MEMBER_ROLE_SET,
            "StackSetNotFoundException",
            f"StackSet {MEMBER_ROLE_SET} not found",
            f"StackSet {MEMBER_ROLE_SET} does not exist: deploy stack {wrapper(MEMBER_ROLE_SET)} first",
        ),
        (
            MEMBER_ROLE_SET,
            "AccessDenied",
            "is not authorized to perform: cloudformation:DescribeStackSet",
            "update stack aws-backup-codebuild-validate-templates (stack 8 of the README) first",
        ),
        (
            TAG_ROLE_SET,
            "AccessDenied",
            "is not authorized to perform: cloudformation:DescribeStackSet",
            "update stack aws-backup-codebuild-test-package-tagonrestore (stack 9 of the README) first",
        ),
        (
            TAG_ROLE_SET,
            "ValidationError",
            "Account used is not a delegated administrator",
            "the build's role needs organizations:ListDelegatedAdministrators",
        ),
        (TAG_ROLE_SET, "ValidationError", "anything else", "anything else"),
    ],
)
def test_a_refusal_says_what_to_do_and_exports_nothing(
    delegated: Delegated,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    code: str,
    message: str,
    words: str,
) -> None:
    stale = tmp_path / FILE
    stale.parent.mkdir(parents=True)
    stale.write_text("export ROLE_STACK_SET_ARN=stale\n")
    with delegated.stub as stub:
        stub.add_client_error("describe_stack_set", code, message)
        assert role_stack_set.main([name], session=delegated.session, root=tmp_path) == 1
    assert words in capsys.readouterr().err
    assert not stale.exists()


def test_the_stack_sets_are_those_of_the_roles_and_their_stacks_have_the_published_names() -> None:
    assert set(role_stack_set.ROLE_STACK_SETS) == set(ROLE_SETS)
    assert {each.name: Path(each.wrapper).stem for each in STACKSETS} == {
        each.name: wrapper(each.name) for each in STACKSETS
    }


def test_another_stack_set_is_not_looked_up(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        role_stack_set.main(["guardrails"])
    assert "invalid choice" in capsys.readouterr().err
