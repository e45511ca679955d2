"""Functions: code must exist, runtimes must be supported, logs and errors are like AWS's."""

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.emulator.templates import function, policy, role, statement, template, zipped
from tests.rehearsal.emulator.world import ACCOUNTS, World

MEMBER = ACCOUNTS.members[0]
LAMBDA = {"Service": "lambda.amazonaws.com"}
LOGGING = """
import json, logging, os
logging.getLogger().setLevel(logging.INFO)
def handler(event, context):
    logging.getLogger("it").info("called with %s", json.dumps(event))
    print("printed")
    return {"account": os.environ["AWS_ACCESS_KEY_ID"][:4], "secret": os.environ.get("DEVELOPER_SECRET")}
"""


def from_s3(name: str, bucket: str, key: str, **more: Any) -> str:
    return template(
        {
            "Role": role(f"{name}-role", LAMBDA, statement("logs:*")),
            "Function": function(name, {"S3Bucket": bucket, "S3Key": key}, **more),
        }
    )


@pytest.fixture(scope="session")
def packages(world: World) -> str:
    """A bucket of the home account that the whole organization may read; holds it.zip."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="packages")
    s3.put_object(Bucket="packages", Key="it.zip", Body=zipped({"index.py": LOGGING}))
    condition = {"StringEquals": {"aws:PrincipalOrgID": world.organization}}
    readers = statement("s3:GetObject", "arn:aws:s3:::packages/*", Principal="*", Condition=condition)
    s3.put_bucket_policy(Bucket="packages", Policy=json.dumps(policy(readers)))
    s3.put_public_access_block(
        Bucket="packages",
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    return "packages"


def invoke(world: World, name: str, account: str, payload: dict[str, Any] | None = None) -> Any:
    response = world.client("lambda", account).invoke(FunctionName=name, Payload=json.dumps(payload or {}))
    return json.load(response["Payload"])


def test_a_package_of_another_account_is_read_under_its_bucket_policy(world: World, packages: str) -> None:
    made = world.create("reader", from_s3("reader", packages, "it.zip"), MEMBER)
    assert (made.status, made.reason) == ("CREATE_COMPLETE", "")
    assert invoke(world, "reader", MEMBER)["account"] == "ASIA"


def test_a_package_of_another_account_is_not_read_without_a_bucket_policy(world: World) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="private")
    s3.put_object(Bucket="private", Key="it.zip", Body=zipped({"index.py": LOGGING}))
    made = world.create("denied-reader", from_s3("denied-reader", "private", "it.zip"), MEMBER)
    assert made.status == "ROLLBACK_COMPLETE"
    assert re.search(r"S3 Error Code: AccessDenied.*bucket private, key it\.zip", made.reason), made.reason


@pytest.mark.parametrize(
    ("bucket", "key", "code"), [("packages", "gone.zip", "NoSuchKey"), ("nowhere", "it.zip", "NoSuchBucket")]
)
def test_missing_code_fails_the_stack_and_is_named(
    world: World, packages: str, bucket: str, key: str, code: str
) -> None:
    made = world.create(f"missing-{bucket}", from_s3(f"missing-{bucket}", bucket, key))
    assert made.status == "ROLLBACK_COMPLETE"
    assert re.search(rf"S3 Error Code: {code}.*bucket {bucket}, key {key}", made.reason), made.reason


def test_missing_code_fails_an_update_and_the_api_too(world: World, packages: str) -> None:
    assert world.create("updated", from_s3("updated", packages, "it.zip")).status == "CREATE_COMPLETE"
    failed = world.update("updated", from_s3("updated", packages, "gone.zip"))
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "gone.zip" in failed.reason
    with pytest.raises(ClientError, match=r"gone\.zip") as error:
        world.client("lambda").update_function_code(
            FunctionName="updated", S3Bucket=packages, S3Key="gone.zip"
        )
    assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert invoke(world, "updated", ACCOUNTS.home)["account"] == "ASIA"


@pytest.mark.parametrize("runtime", ["python3.7", "python3.8", "nodejs16.x"])
def test_retired_runtimes_cannot_be_created(world: World, runtime: str) -> None:
    made = world.create(
        f"old-{runtime[-3]}", from_s3(f"old-{runtime[-3]}", "packages", "it.zip", Runtime=runtime)
    )
    assert made.status == "ROLLBACK_COMPLETE"
    assert f"The runtime parameter of {runtime} is not supported" in made.reason


def test_the_role_must_trust_lambda(world: World, packages: str) -> None:
    resources = {
        "Role": role("no-lambda", {"Service": "ec2.amazonaws.com"}),
        "Function": function("no-lambda", {"S3Bucket": packages, "S3Key": "it.zip"}),
    }
    made = world.create("no-lambda", template(resources))
    assert "cannot be assumed by Lambda" in made.reason


def test_log_records_and_prints_reach_the_functions_log(world: World, packages: str) -> None:
    world.create("logging", from_s3("logging", packages, "it.zip"))
    invoke(world, "logging", ACCOUNTS.home, {"a": 1})
    log = world.log("logging")
    assert '[INFO] called with {"a": 1}' in log
    assert "printed" in log
    assert log.startswith("START RequestId")


def test_the_log_is_in_the_group_that_the_function_names(world: World, packages: str) -> None:
    text = from_s3("renamed", packages, "it.zip", LoggingConfig={"LogGroup": "/elsewhere"})
    world.create("renamed", text)
    invoke(world, "renamed", ACCOUNTS.home)
    assert "called with" in world.log("renamed", "/elsewhere")


@pytest.mark.parametrize(
    ("name", "handler", "reason"),
    [
        (
            "no-module",
            "idnex.handler",
            r"Runtime.ImportModuleError: Unable to import module 'idnex': No module",
        ),
        (
            "no-handler",
            "index.handlr",
            r"Runtime.HandlerNotFound: Handler 'handlr' missing on module 'index'",
        ),
    ],
)
def test_a_handler_that_is_not_in_the_package_is_named_in_the_response_and_in_the_log(
    world: World, packages: str, name: str, handler: str, reason: str
) -> None:
    world.create(name, from_s3(name, packages, "it.zip", Handler=handler))
    assert re.match(reason, invoke(world, name, ACCOUNTS.home)["errorMessage"])
    assert re.search(reason, world.log(name))


COUNTING = """
calls = 0
def handler(event, context):
    global calls
    calls += 1
    raise ValueError(f"call {calls}")
"""


def test_a_function_that_raises_keeps_its_environment(world: World) -> None:
    counting = function("counting", {"ZipFile": COUNTING})
    body = template({"Role": role("counting-role", LAMBDA), "Function": counting})
    assert world.create("counting", body).status == "CREATE_COMPLETE"
    assert invoke(world, "counting", ACCOUNTS.home)["errorMessage"] == "call 1"
    response = world.client("lambda").invoke(FunctionName="counting", Payload="{}")
    assert json.load(response["Payload"])["errorMessage"] == "call 2"
    assert response["FunctionError"]
