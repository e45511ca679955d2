"""The role of TagOnRestore has exactly the permissions that the table of taggers needs."""

from typing import Any

import yaml
from tag_on_restore.taggers import TAGGERS, Tagger

from buildspecs.lint.templates import Part, plain
from buildspecs.paths import ROOT
from tests.templates.service_authorization import named

TEMPLATES = ROOT / "templates" / "member-account"
# Actions in addition to the table: jobs and recovery points, the function's log and its failures.
ADDITIONAL = {
    "backup:DescribeRestoreJob",
    "backup:ListRestoreJobs",
    "backup:DescribeRecoveryPoint",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",
}
LISTS_BUCKETS = {"s3:ListAllMyBuckets"}  # supports no resource, and alone returns when a bucket was created


class Loader(yaml.SafeLoader):
    """Reads !Sub and !Ref of CloudFormation as text."""


Loader.add_multi_constructor("!", lambda loader, _suffix, node: node.value)


def statements() -> dict[str, dict[str, Any]]:
    name = "aws-backup-tagonrestore-role.yaml"
    template = plain(yaml.load((TEMPLATES / name).read_text(), Loader), name)  # noqa: S506
    (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
    return Part(f"{name}: Role", {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]})


def as_set(value: str | list[str]) -> set[str]:
    return {value} if isinstance(value, str) else set(value)


def action(tagger: Tagger, operation: str) -> str:
    """The IAM action of a boto3 method: list_tags_for_resource is ListTagsForResource."""
    return f"{tagger.service}:{''.join(part.capitalize() for part in operation.split('_'))}"


def supports_a_resource(tagger: Tagger) -> bool:
    """Whether the action that reads supports resources in IAM."""
    (facts,) = named(action(tagger, tagger.reads.operation)).values()
    return not facts.takes_no_resource


def arns(tagger: Tagger) -> set[str]:
    """The resources of a row as ARNs with wildcards, without those that another one covers."""
    place = "" if tagger.service == "s3" else "*:${AWS::AccountId}"
    prefix = f"arn:${{AWS::Partition}}:{tagger.service}:{place or ':'}:"
    wide = [one for one in tagger.resources if not any(covers(other, one) for other in tagger.resources)]
    return {prefix + resource for resource in wide}


def covers(wide: str, narrow: str) -> bool:
    return wide != narrow and wide.endswith("*") and narrow.startswith(wide[:-1])


def test_reads_are_exactly_those_of_the_table() -> None:
    listing = list(filter(supports_a_resource, TAGGERS))
    statement = statements()["ReadTags"]
    assert as_set(statement["Action"]) == {action(tagger, tagger.reads.operation) for tagger in listing}
    assert as_set(statement["Resource"]) == set().union(*map(arns, listing))


def test_writes_are_exactly_those_of_the_table() -> None:
    writing = {tagger: tagger.adds for tagger in TAGGERS if tagger.adds}
    statement = statements()["WriteTags"]
    assert as_set(statement["Action"]) == {action(tagger, adds.operation) for tagger, adds in writing.items()}
    assert as_set(statement["Resource"]) == set().union(*map(arns, writing))


def test_actions_without_a_resource_are_exactly_those_of_the_table() -> None:
    described = {
        action(tagger, tagger.reads.operation) for tagger in TAGGERS if not supports_a_resource(tagger)
    }
    extra = {name for tagger in TAGGERS for name in tagger.extra_actions}
    assert as_set(statements()["Describe"]["Action"]) == described | extra | LISTS_BUCKETS


def test_the_age_is_read_exactly_where_the_table_has_one() -> None:
    dated = {tagger: tagger.dates for tagger in TAGGERS if tagger.dates}
    scoped = [tagger for tagger, call in dated.items() if call.action not in LISTS_BUCKETS]
    statement = statements()["ReadAge"]
    assert {call.action for call in dated.values()} == as_set(statement["Action"]) | LISTS_BUCKETS
    assert as_set(statement["Resource"]) == set().union(*map(arns, scoped))


def test_nothing_else_is_allowed() -> None:
    by_table = ("ReadTags", "WriteTags", "Describe", "ReadAge")
    table = set().union(*(as_set(statements()[name]["Action"]) for name in by_table))
    others = [as_set(each["Action"]) for name, each in statements().items() if name not in by_table]
    assert set().union(*others) == ADDITIONAL
    assert not any(
        "*" in name or name in ("lambda:InvokeFunction", "iam:PassRole") for name in table | ADDITIONAL
    )
    assert all(statement["Effect"] == "Allow" for statement in statements().values())


def test_only_actions_that_support_no_resource_have_a_star() -> None:
    starred = {name for name, statement in statements().items() if as_set(statement["Resource"]) == {"*"}}
    assert starred == {"Describe", "FindRestoreJobs"}


def test_the_additional_statements_allow_these_resources_only() -> None:
    """A recovery point has the ARN of the service whose snapshot it is."""
    found = {name: as_set(statement["Resource"]) for name, statement in statements().items()}
    assert found["FindSource"] == {
        f"arn:${{AWS::Partition}}:{rest}"
        for rest in (
            "backup:*:${AWS::AccountId}:recovery-point:*",
            "dynamodb:*:${AWS::AccountId}:table/*/backup/*",
            "ec2:*::image/*",
            "ec2:*::snapshot/*",
            "fsx:*:${AWS::AccountId}:backup/*",
            "rds:*:${AWS::AccountId}:cluster-snapshot:*",
            "rds:*:${AWS::AccountId}:snapshot:*",
            "redshift-serverless:*:${AWS::AccountId}:snapshot/*",
            "redshift-serverless:*:${AWS::AccountId}:snapshot:*/*",
            "redshift:*:${AWS::AccountId}:snapshot:*/*",
        )
    }
    own = "*:${AWS::AccountId}"
    assert found["WriteLog"] == {f"arn:${{AWS::Partition}}:logs:{own}:log-group:/aws/lambda/TagOnRestore-*:*"}
    assert found["KeepFailures"] == {f"arn:${{AWS::Partition}}:sqs:{own}:TagOnRestoreFailures"}


def test_no_operator_policy_is_attached() -> None:
    text = (TEMPLATES / "aws-backup-tagonrestore-role.yaml").read_text()
    assert "ManagedPolicyArns" not in text


def test_function_and_role_agree_on_the_names_of_role_queue_and_log_group() -> None:
    function = (TEMPLATES / "aws-backup-tagonrestore.yaml").read_text()
    role = (TEMPLATES / "aws-backup-tagonrestore-role.yaml").read_text()
    assert "role/TagOnRestoreFunctionForAWSBackup" in function
    assert "RoleName: TagOnRestoreFunctionForAWSBackup" in role
    assert "QueueName: TagOnRestoreFailures" in function
    assert ":TagOnRestoreFailures" in role
    assert "/aws/lambda/TagOnRestore-${Id}" in function
    assert "log-group:/aws/lambda/TagOnRestore-*:*" in role
