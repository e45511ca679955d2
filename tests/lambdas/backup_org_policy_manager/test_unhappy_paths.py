"""Refusals, lost responses, long lists and the like on the fake, since moto cannot raise them."""

import copy
import json
from typing import Any

import pytest
from backup_org_policy_manager.request import Owner

from .conftest import (
    MANAGEMENT,
    OTHER_MANAGEMENT,
    OU_1,
    OU_2,
    OU_3,
    STACK,
    Function,
    event,
    plan,
    properties,
)
from .fakes import Fault


def update(policy_id: str, **changed: Any) -> dict[str, Any]:
    return event(
        "Update", properties(**changed), OldResourceProperties=properties(), PhysicalResourceId=policy_id
    )


def delete(policy_id: str, **changed: Any) -> dict[str, Any]:
    return event("Delete", properties(**changed), PhysicalResourceId=policy_id)


# -- create ----------------------------------------------------------------------------------------------


def test_an_invalid_request_is_refused_before_the_first_call(function: Function) -> None:
    regions = ["mars-north-1", "us-east-9", "aws-global", "cn-north-1"]
    reason = function.fail(event("Create", properties(PolicyName=None, PolicyRegions=regions)))
    assert [f"[{number}]" in reason for number in range(4)] == [True, True, False, False]
    assert "2 more in the log (PolicyRegions)" in reason
    assert reason.startswith(
        "PolicyName: missing; PolicyRegions[0]: mars-north-1 is not a Region of this partition"
    )
    assert function.aws.calls == []
    assert function.last_response["PhysicalResourceId"] == "policy-not-created"


def leave_unattached(function: Function, name: str = "daily", **tags: str) -> Any:
    """The policy of an earlier Create of this resource, never attached."""
    return function.organization.add(
        name, tags=Owner(STACK, "DailyPolicy", "earlier").tags() | tags, targets=[]
    )


@pytest.mark.parametrize("look_up", ["ListPolicies", "ListTagsForResource"])
@pytest.mark.parametrize("lost", ["response lost", "response lost, then denied"])
def test_a_create_that_cannot_look_up_what_it_made_leaves_it_to_the_delete(
    function: Function, look_up: str, lost: str
) -> None:
    function.organization.denied.add(look_up)
    response = function.invoke(event("Create", properties()), Fault(lost, 1))
    assert response
    assert response["Status"] == "FAILED"
    assert "1 left to the rollback: policy daily" in response["Reason"]
    assert len(function.organization.policies) == 1
    function.organization.denied.clear()
    function.succeed(delete(response["PhysicalResourceId"]))
    assert not function.organization.policies


def test_a_create_without_time_to_look_up_what_it_made_leaves_it_to_the_delete(function: Function) -> None:
    late = Fault("time out", 2)
    response = function.invoke(event("Create", properties()), Fault("response lost", 1), late)
    assert response
    assert response["Status"] == "FAILED"
    assert len(function.organization.policies) == 1
    function.succeed(delete(response["PhysicalResourceId"]))
    assert not function.organization.policies


def test_the_next_create_deletes_the_policy_of_a_create_whose_response_was_lost(function: Function) -> None:
    function.organization.denied.add("ListPolicies")
    assert function.invoke(event("Create", properties()), Fault("response lost", 1))
    function.organization.denied.clear()
    again = function.succeed(event("Create", properties(), RequestId="another-request"))
    assert list(function.organization.policies) == [again["PhysicalResourceId"]]


def test_a_policy_that_is_not_listed_yet_is_found_after_a_wait(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_unattached(function)
    listed, at_first = function.organization.list_policies, [{"Policies": []}]
    monkeypatch.setattr(
        function.organization, "list_policies", lambda given: at_first.pop() if at_first else listed(given)
    )
    policy_id = function.create()
    assert list(function.organization.policies) == [policy_id]
    assert len(function.aws.clock.slept) == 1


def test_a_create_that_runs_out_of_time_has_enough_left_to_revert(function: Function) -> None:
    response = function.invoke(event("Create", properties()), Fault("time nearly out", 2))
    assert response
    assert response["Reason"].endswith("(2 of 3 changes made, all reverted)")
    assert function.organization.policies == {}


def test_an_update_to_the_name_of_a_leftover_deletes_the_leftover(function: Function) -> None:
    policy_id = function.create()
    leave_unattached(function, "nightly")
    function.succeed(update(policy_id, PolicyName="nightly"))
    assert [policy.name for policy in function.organization.policies.values()] == ["nightly"]
    assert policy_id in function.organization.policies


def test_an_update_that_creates_the_policy_again_deletes_the_leftover_with_the_old_name(
    function: Function,
) -> None:
    left = leave_unattached(function)
    new = function.succeed(update("p-1a2b3c4d", PolicyName="nightly"))["PhysicalResourceId"]
    assert list(function.organization.policies) == [new]
    assert new != left.id


def test_our_policy_is_found_on_the_last_page_of_500_others(function: Function) -> None:
    for number in range(500):
        function.organization.add(
            f"daily-{number}" if number % 2 else f"dail{number}", targets=[OU_3] * (number < 9)
        )
    policy_id = function.create()
    before = {name: policy for name, policy in function.organization.policies.items() if name != policy_id}
    function.organization.policies[policy_id].targets.clear()
    assert function.create() == policy_id
    assert function.organization.policies[policy_id].targets == [OU_1, OU_2]
    assert function.aws.counts()["ListPolicies"] == 26
    function.succeed(delete(policy_id))
    assert function.organization.policies == before


def test_the_delete_after_a_failed_create_removes_what_the_create_could_not(function: Function) -> None:
    function.organization.targets.remove(OU_2)
    function.organization.denied.add("DeletePolicy")
    reason = function.fail(event("Create", properties()))
    assert function.aws.counts()["DeletePolicy"] == 1, "denied, not in use"
    left = function.last_response["PhysicalResourceId"]
    assert reason.endswith(f"(2 of 3 changes made; 1 left to the rollback: policy {left})")
    function.organization.denied.clear()
    function.succeed(delete(left))
    assert not function.organization.policies


def test_a_missing_role_is_named_with_the_stack_that_creates_it(function: Function) -> None:
    del function.aws.organizations[MANAGEMENT]
    reason = function.fail(event("Create", properties()))
    assert "arn:aws:iam::111111111111:role/BackupOrgPolicyManagerOrgAdmin" in reason
    assert "create stack aws-backup-backuporgpolicymanager-mangement-role" in reason


def test_role_and_regions_are_those_of_the_stacks_partition(function: Function) -> None:
    stack = STACK.replace("arn:aws:", "arn:aws-us-gov:")
    given = event("Create", properties(PolicyRegions=["us-gov-west-1"]), StackId=stack)
    function.succeed(given)
    assert "us-east-1 is not a Region" in function.fail(event("Create", properties(), StackId=stack))


def test_a_repeated_create_that_fails_removes_the_policy_of_the_interrupted_run(function: Function) -> None:
    assert function.invoke(event("Create", properties()), Fault("killed", 1)) is None
    assert len(function.organization.policies) == 1
    function.organization.targets.remove(OU_2)
    assert "all reverted" in function.fail(event("Create", properties()))
    assert not function.organization.policies


def test_a_create_with_an_unknown_outcome_removes_no_policy_of_another_owner(function: Function) -> None:
    theirs = function.organization.add("daily")
    response = function.invoke(event("Create", properties()), Fault("server error, then denied", 1))
    assert response
    assert response["Status"] == "FAILED"
    assert function.organization.policies == {theirs.id: theirs}


# -- update ----------------------------------------------------------------------------------------------


def test_every_page_of_targets_is_read(function: Function) -> None:
    many = [f"ou-root-{number:08d}" for number in range(70)]
    function.organization.targets += many
    policy_id = function.create(PolicyTargets=many)
    function.succeed(update(policy_id, PolicyTargets=[OU_1]))
    assert function.organization.policies[policy_id].targets == [OU_1]


def test_an_update_succeeds_if_a_target_to_detach_was_deleted(function: Function) -> None:
    policy_id = function.create()
    function.organization.targets.remove(OU_1)
    function.succeed(update(policy_id, PolicyTargets=[OU_2]))


def test_refused_content_leaves_the_old_policy_in_effect_and_the_rollback_succeeds(
    function: Function,
) -> None:
    policy_id = function.create()
    before = function.aws.snapshot()[MANAGEMENT].policies
    refused = properties(PolicyContent=plan("refuse me"))
    reason = function.fail(update(policy_id, **refused))
    assert "MalformedPolicyDocumentException" in reason
    assert function.organization.policies == before
    back = event("Update", properties(), OldResourceProperties=refused, PhysicalResourceId=policy_id)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    assert function.aws.writes == []


def test_an_update_to_a_name_that_is_taken_is_refused(function: Function) -> None:
    policy_id = function.create()
    theirs = function.organization.add("nightly")
    reason = function.fail(update(policy_id, PolicyName="nightly"))
    assert f"nightly is the name of policy {theirs.id}" in reason
    assert function.organization.policies[policy_id].name == "daily"


# What an earlier version of the function accepted and a rule now refuses.
OLD_RULES = [
    {"PolicyContent": plan(days="0")},
    {"PolicyContent": plan(schedule_expression={"@@asign": "cron(0 5 ? * * *)"})},
    {"Variables": [{"LEFT_OVER": "x"}]},
    {"PolicyTarget": [OU_3]},
    {"PolicyContent": {"plans": {"Daily": {"rules": {}}}}},
]


@pytest.mark.parametrize("changed", OLD_RULES, ids=str)
@pytest.mark.parametrize(
    "refused",
    [{"PolicyType": "TAG_POLICY"}, {"PolicyContent": plan("refuse me")}],
    ids=["by us", "by Organizations"],
)
def test_a_refused_update_is_rolled_back_to_properties_that_a_newer_rule_refuses(
    function: Function, changed: dict[str, Any], refused: dict[str, Any]
) -> None:
    policy_id = function.create()
    policy = function.organization.policies[policy_id]
    old = properties(**changed)
    content = copy.deepcopy(old["PolicyContent"])
    content["plans"]["Daily"]["regions"] = {"@@assign": old["PolicyRegions"]}
    policy.content = json.dumps(content)

    new = properties(**refused)
    function.fail(event("Update", new, OldResourceProperties=old, PhysicalResourceId=policy_id))
    before = copy.deepcopy(function.organization.policies)
    back = event("Update", old, OldResourceProperties=new, PhysicalResourceId=policy_id)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    assert function.organization.policies == before
    assert function.aws.writes == []

    policy.targets.remove(OU_1)
    assert function.fail(back), "there would be something to write"
    policy.targets.append(OU_1)
    policy.description = "changed by hand"
    assert function.fail(back), "there would be something to write"


@pytest.mark.parametrize(
    "changed",
    [{"PolicyTarget": [OU_3]}, {"Variables": [{"UNUSED": "x"}]}, {"PolicyType": "TAG_POLICY"}],
    ids=str,
)
def test_new_problems_are_refused_even_if_the_policy_is_in_effect(
    function: Function, changed: dict[str, Any]
) -> None:
    policy_id = function.create()
    assert next(iter(changed)) in function.fail(update(policy_id, **changed))


def test_an_update_that_is_no_longer_a_child_policy_is_refused_if_incomplete(function: Function) -> None:
    content = {"plans": {"Daily": {"rules": {}}}}
    old = properties(PolicyContent=content, ChildPolicy="true")
    policy_id = function.create(PolicyContent=content, ChildPolicy="true")
    request = event(
        "Update", properties(PolicyContent=content), OldResourceProperties=old, PhysicalResourceId=policy_id
    )
    assert "ChildPolicy" in function.fail(request)


def test_another_policy_type_is_refused(function: Function) -> None:
    policy_id = function.create()
    assert "only BACKUP_POLICY is supported" in function.fail(update(policy_id, PolicyType="TAG_POLICY"))


def test_a_policy_of_another_type_is_replaced_not_changed(function: Function) -> None:
    tag_policy = function.organization.add("tags", type="TAG_POLICY", targets=[OU_1])
    request = event(
        "Update",
        properties(),
        OldResourceProperties=properties(PolicyType="TAG_POLICY"),
        PhysicalResourceId=tag_policy.id,
    )
    new = function.succeed(request)["PhysicalResourceId"]
    assert new != tag_policy.id
    function.succeed(delete(tag_policy.id, PolicyType="TAG_POLICY"))
    assert tag_policy.id in function.organization.policies


@pytest.mark.parametrize("operation", ["ListTagsForResource", "TagResource"])
def test_an_update_succeeds_without_permission_to_tag(function: Function, operation: str) -> None:
    policy = function.organization.add("daily", targets=[OU_1])
    function.organization.denied.add(operation)
    function.succeed(update(policy.id))
    assert policy.targets == [OU_1, OU_2]


def untagged(function: Function) -> str:
    """A policy as the first release made it."""
    policy_id = function.create()
    function.organization.policies[policy_id].tags.clear()
    return policy_id


def test_the_rollback_of_a_refused_type_keeps_an_untagged_policy(function: Function) -> None:
    policy_id = untagged(function)
    before = function.aws.snapshot()[MANAGEMENT].policies
    refused = properties(PolicyType="TAG_POLICY")
    assert "only BACKUP_POLICY is supported" in function.fail(update(policy_id, **refused))
    back = event("Update", properties(), OldResourceProperties=refused, PhysicalResourceId=policy_id)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    assert function.organization.policies == before


def test_a_move_back_does_not_take_over_an_untagged_policy_with_the_same_name(function: Function) -> None:
    first = function.create()
    moved = properties(OrgManagementAccount=OTHER_MANAGEMENT)
    new = function.succeed(update(first, **moved))["PhysicalResourceId"]
    function.succeed(delete(first))
    theirs = function.organization.add("daily", targets=[OU_3])
    reason = function.fail(event("Update", properties(), OldResourceProperties=moved, PhysicalResourceId=new))
    assert f"policy {theirs.id}, which has no owner tags, so its owner is unknown" in reason
    assert theirs.targets == [OU_3]


@pytest.mark.parametrize("tagged", [True, False])
def test_the_refusal_of_swapped_names_says_who_owns_each(function: Function, tagged: bool) -> None:
    weekly = properties(PolicyName="weekly")
    daily_id = function.create()
    response = function.succeed(event("Create", weekly, LogicalResourceId="WeeklyPolicy"))
    weekly_id = response["PhysicalResourceId"]
    if not tagged:
        for policy in function.organization.policies.values():
            policy.tags.clear()
    before = function.aws.snapshot()[MANAGEMENT].policies
    swaps = [
        (update(daily_id, PolicyName="weekly"), weekly_id, "WeeklyPolicy"),
        (
            event(
                "Update",
                properties(),
                OldResourceProperties=weekly,
                PhysicalResourceId=weekly_id,
                LogicalResourceId="WeeklyPolicy",
            ),
            daily_id,
            "DailyPolicy",
        ),
    ]
    for swap, holder, owner in swaps:
        reason = function.fail(swap)
        whose = f"belongs to resource {owner} of this stack" if tagged else "so its owner is unknown"
        assert f"is the name of policy {holder}, which " in reason
        assert whose in reason
        assert "delete" not in reason
        back = {
            **swap,
            "ResourceProperties": swap["OldResourceProperties"],
            "OldResourceProperties": swap["ResourceProperties"],
        }
        function.succeed(back)
        assert function.organization.policies == before


def test_another_management_account_of_the_same_organization_keeps_the_policy(function: Function) -> None:
    function.aws.organizations[OTHER_MANAGEMENT] = function.organization
    policy_id = function.create()
    response = function.succeed(update(policy_id, OrgManagementAccount=OTHER_MANAGEMENT))
    assert response["PhysicalResourceId"] == policy_id
    assert function.organization.policies[policy_id].targets == [OU_1, OU_2]


def test_a_move_back_removes_only_our_policies_from_the_other_organization(function: Function) -> None:
    policy_id = function.create()
    theirs = function.aws.organizations[OTHER_MANAGEMENT].add("daily", targets=[OU_1])
    request = event(
        "Update",
        properties(),
        OldResourceProperties=properties(OrgManagementAccount=OTHER_MANAGEMENT),
        PhysicalResourceId=policy_id,
    )
    function.succeed(request)
    assert theirs.targets == [OU_1]


def test_a_failed_update_restores_the_leftover_that_it_took_over(
    function: Function,
) -> None:
    leftover = function.create()
    function.organization.targets.remove(OU_1)
    function.organization.policies[leftover].targets[:] = [OU_2]
    request = update("p-1a2b3c4d", PolicyContent=plan(days="7"))
    assert "all reverted" in function.fail(request)
    assert function.organization.policies[leftover].targets == [OU_2]
    assert '"35"' in function.organization.policies[leftover].content


# -- delete ----------------------------------------------------------------------------------------------


def test_every_target_is_detached_and_the_policy_deleted(function: Function) -> None:
    many = [f"ou-root-{number:08d}" for number in range(45)]
    function.organization.targets += many
    policy_id = function.create(PolicyTargets=many)
    response = function.succeed(delete(policy_id))
    assert response["PhysicalResourceId"] == policy_id
    assert function.aws.counts()["DetachPolicy"] == 45
    assert not function.organization.policies
    assert not function.aws.clock.slept


@pytest.mark.parametrize("operation", ["AssumeRole", "ListPolicies", "ListTagsForResource"])
@pytest.mark.parametrize("kind", ["denied", "throttled forever"])
def test_a_look_up_that_fails_does_not_block_the_deletion_of_the_stack(
    function: Function, operation: str, kind: str
) -> None:
    leave_unattached(function)
    at = ["AssumeRole", "ListPolicies", "ListTagsForResource"].index(operation)
    response = function.invoke(delete("policy-perhaps-created"), Fault(kind, at))
    assert response
    assert response["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"OrgManagementAccount": "1"},
        {"OrgManagementAccount": 7},
        {"PolicyTargets": 3, "PolicyContent": 4},
    ],
)
def test_a_delete_never_fails_for_its_properties(function: Function, wrong: dict[str, Any]) -> None:
    function.succeed(event("Delete", wrong, PhysicalResourceId="p-1a2b3c4d"))


def test_a_target_attached_during_the_delete_is_detached_too(function: Function) -> None:
    policy_id = function.create()
    policy = function.organization.policies[policy_id]

    def attach_once() -> None:
        if (
            function.aws.calls[-1] == "DetachPolicy"
            and not policy.targets
            and OU_3 not in function.aws.errors
        ):
            policy.targets.append(OU_3)
            function.aws.errors.append(OU_3)

    function.aws.after_call = attach_once
    function.succeed(delete(policy_id))
    assert not function.organization.policies
    assert len(function.aws.clock.slept) == 1
