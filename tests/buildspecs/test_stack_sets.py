"""The ARN of a role's StackSet is handed on as AWS returns it, and a refusal says what to do."""

from pathlib import Path

import pytest
from botocore.stub import Stubber

from buildspecs import stack_sets
from buildspecs.names import STACKSETS
from buildspecs.variables import FILE
from rehearsal.machine import environment

MEMBERS = "organizations-aws-backup-member-accounts-role"
TAGS = "organizations-aws-backup-tagonrestore-role"
ARN = f"arn:aws:cloudformation:us-east-1:777788889999:stackset/{MEMBERS}:0a1b2c3d-0000-4000-8000-000000000000"


class Asked:
    """A session whose one CloudFormation client is stubbed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = environment.session("us-east-1")
        client = self.session.client("cloudformation")
        monkeypatch.setattr(self.session, "client", lambda *_, **__: client)
        self.stub = Stubber(client)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_the_arn_is_asked_for_as_delegated_administrator_and_handed_on(asked: Asked, tmp_path: Path) -> None:
    with asked.stub as stub:
        stub.add_response(
            "describe_stack_set",
            {"StackSet": {"StackSetName": MEMBERS, "StackSetARN": ARN}},
            {"StackSetName": MEMBERS, "CallAs": "DELEGATED_ADMIN"},
        )
        assert stack_sets.main([MEMBERS], session=asked.session, root=tmp_path) == 0
    assert (tmp_path / FILE).read_text() == f"export ROLE_STACK_SET_ARN={ARN}\n"


@pytest.mark.parametrize(
    ("name", "code", "message", "told"),
    [
        (
            MEMBERS,
            "StackSetNotFoundException",
            f"StackSet {MEMBERS} not found",
            f"StackSet {MEMBERS} does not exist: deploy stack stackset-aws-backup-member-accounts-role first",
        ),
        (
            MEMBERS,
            "AccessDenied",
            "is not authorized to perform: cloudformation:DescribeStackSet",
            "update stack aws-backup-codebuild-validate-templates (stack 8 of the README) first",
        ),
        (
            TAGS,
            "AccessDenied",
            "is not authorized to perform: cloudformation:DescribeStackSet",
            "update stack aws-backup-codebuild-test-package-tagonrestore (stack 9 of the README) first",
        ),
        (
            TAGS,
            "ValidationError",
            "Account used is not a delegated administrator",
            "the build's role needs organizations:ListDelegatedAdministrators",
        ),
        (TAGS, "ValidationError", "anything else", "anything else"),
    ],
)
def test_a_refusal_says_what_to_do_and_hands_nothing_on(
    asked: Asked,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    code: str,
    message: str,
    told: str,
) -> None:
    stale = tmp_path / FILE
    stale.parent.mkdir(parents=True)
    stale.write_text("export ROLE_STACK_SET_ARN=stale\n")
    with asked.stub as stub:
        stub.add_client_error("describe_stack_set", code, message)
        assert stack_sets.main([name], session=asked.session, root=tmp_path) == 1
    assert told in capsys.readouterr().err
    assert not stale.exists()


def test_the_stack_sets_are_those_of_the_roles_and_their_stacks_are_named_alike() -> None:
    published = {each.name: each.wrapper for each in STACKSETS if each.name.endswith("-role")}
    assert set(stack_sets.ROLE_STACK_SETS) == set(published)
    for name, wrapper in published.items():
        assert Path(wrapper).stem == name.replace("organizations-", "stackset-", 1)


def test_another_stack_set_is_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stack_sets.main(["guardrails"])
    assert "invalid choice" in capsys.readouterr().err
