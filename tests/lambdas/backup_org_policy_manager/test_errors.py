"""The reasons in the stack's events: 240 characters."""

import pytest
from backup_org_policy_manager.errors import (
    CallFailedError,
    InvalidRequestError,
    NameTakenError,
    OutOfTimeError,
    PolicyManagerError,
    Problem,
    RevertedError,
)

LONG = "x" * 1000


@pytest.mark.parametrize(
    "error",
    [
        PolicyManagerError(LONG),
        InvalidRequestError([Problem(f"Property{number}", LONG) for number in range(50)]),
        CallFailedError(LONG, LONG, LONG),
        NameTakenError(LONG, "p-12345678", LONG),
        OutOfTimeError(LONG, LONG),
        RevertedError(CallFailedError(LONG, "Code", LONG), 3, 9, [LONG] * 30, "p-12345678"),
        RevertedError(ValueError(LONG), 0, 9, [], None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_reason_is_longer_than_crhelper_keeps(error: PolicyManagerError) -> None:
    assert len(error.reason()) <= 240


def test_a_few_problems_are_given_in_full() -> None:
    error = InvalidRequestError([Problem("PolicyName", "missing"), Problem("PolicyTargets[1]", "x is no OU")])
    assert error.reason() == str(error) == "PolicyName: missing; PolicyTargets[1]: x is no OU"


def test_every_property_of_many_problems_is_named() -> None:
    faults = [
        Problem(f"PolicyTargets[{number}]", f"{number} is not a root, OU or account ID")
        for number in range(9)
    ]
    error = InvalidRequestError(
        [*faults, Problem("PolicyType", "missing"), Problem("PolicyContent.plans", "no plan")]
    )
    reason = error.reason()
    assert reason.startswith("PolicyTargets[0]: 0 is not a root, OU or account ID; PolicyTargets[1]: ")
    assert reason.endswith("more in the log (PolicyTargets, PolicyType, PolicyContent)")
    assert "no plan" in str(error)


def test_a_problem_with_a_long_path_keeps_its_two_ends() -> None:
    vault = "arn:aws:backup:us-east-1:111122223333:backup-vault:AWSBackupSolutionCentralVault"
    place = f"PolicyContent.plans.OrgBackupPlanDaily.rules.{'OrgDailyBackupRule' * 8}.copy_actions.{vault}"
    missing = Problem(place, "no target_backup_vault_arn")
    reason = InvalidRequestError([missing, Problem("ChildPolicy", "must be true")]).reason()
    assert reason.startswith("PolicyContent.plans.OrgBackupPlanDaily.rules.")
    assert reason.endswith(f"{vault}: no target_backup_vault_arn; 1 more in the log (ChildPolicy)")
    assert InvalidRequestError([missing]).reason().endswith(f"{vault}: no target_backup_vault_arn")


def test_the_refusal_of_a_name_never_suggests_a_deletion() -> None:
    assert "delete" not in str(NameTakenError("daily", "p-12345678", "belongs to another stack")).lower()


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "Update stack aws-backup-backuporgpolicymanager-mangement-role."),
        (
            "AWSOrganizationsNotInUseException",
            "OrgManagementAccount is not an organization's management account.",
        ),
        ("MalformedPolicyDocumentException", "Correct PolicyContent."),
        ("PolicyTypeNotEnabledException", "Run aws organizations enable-policy-type for BACKUP_POLICY."),
        ("TargetNotFoundException", "Correct PolicyTargets."),
    ],
)
def test_an_aws_error_says_what_to_do(code: str, advice: str) -> None:
    error = CallFailedError("AttachPolicy p-1 ou-1", code, "The call failed.")
    assert str(error) == f"AttachPolicy p-1 ou-1: {code}: The call failed. {advice}"


def test_a_long_cause_does_not_hide_what_was_reverted() -> None:
    cause = CallFailedError("AttachPolicy", "ConstraintViolationException", LONG)
    assert RevertedError(cause, 2, 5, [], None).reason().endswith("… (2 of 5 changes made, all reverted)")
    assert RevertedError(cause, 0, 5, [], None).reason().endswith("… (nothing was changed)")
    left = RevertedError(cause, 2, 5, ["policy p-1"], "p-1").reason()
    assert left.endswith("… (2 of 5 changes made; 1 left to the rollback: policy p-1)")
