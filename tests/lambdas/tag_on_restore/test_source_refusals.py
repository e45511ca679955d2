"""Errors of the call that reads the source: which mean that it is not here, and which have to be retried.

The codes are those of botocore's models and of the pages on common errors and on S3's error responses
(AmazonS3/latest/API/ErrorResponses.html).
"""

import pytest
from botocore.exceptions import ReadTimeoutError
from tag_on_restore import restore
from tag_on_restore.aws import Aws
from tag_on_restore.errors import CallFailedError
from tag_on_restore.event import RestoreEvent, parse
from tag_on_restore.result import Origin, Result
from tag_on_restore.taggers import TAGGERS, ListCall, Tagger

from tests.lambdas.tag_on_restore.accounts import NOW, SETTINGS, account_with, run
from tests.lambdas.tag_on_restore.fake_aws import FakeAws, Fault, api_name, service_model
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, RESTORED_TYPES, RestoredType

SOURCE = {"project": "shop"}
RESTORED: dict[str, str] = {}
OLD = {"project": "as of the backup"}
BUCKET = BY_NAME["s3"]
# An instance is read together with its source.
READ_ALONE = [each for each in RESTORED_TYPES if not each.has_volumes]
# Errors of any service that say nothing about the resource.
TRANSIENT = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ProvisionedThroughputExceededException",
    "SlowDown",
    "503",
    "429",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "TemporaryRedirect",
    "MethodNotAllowed",
    "InvalidRequest",
]
READ_SOURCE = 2


def refused(each: RestoredType, code: str) -> tuple[FakeAws, Result]:
    """Handle the job; the call that reads the source returns this error."""
    aws = account_with(each, SOURCE, RESTORED, recovery_point=OLD)
    with aws.fault(READ_SOURCE, Fault(code)):
        return aws, run(aws, each.event)


def test_after_a_transient_error_older_tags_are_not_copied() -> None:
    for code in TRANSIENT:
        for each in READ_ALONE:
            aws = account_with(each, SOURCE, RESTORED, recovery_point=OLD)
            with aws.fault(READ_SOURCE, Fault(code)), pytest.raises(CallFailedError, match=code):
                run(aws, each.event)
            assert aws.tags[each.created] == RESTORED, f"{each.name}, {code}"


def test_after_a_timeout_older_tags_are_not_copied() -> None:
    each = BY_NAME["dynamodb"]
    aws = account_with(each, SOURCE, RESTORED, recovery_point=OLD)

    class Slow(Aws):
        def call(
            self, service: str, operation: str, about: object, **parameters: object
        ) -> dict[str, object]:
            if str(about) == each.source:
                raise CallFailedError(f"{service}: {ReadTimeoutError(endpoint_url=service)}")
            return super().call(service, operation, about, **parameters)

    request = parse(each.event, NOW)
    assert isinstance(request, RestoreEvent)
    with pytest.raises(CallFailedError, match="Read timeout"):
        restore.handle_event(Slow(aws), SETTINGS, request)
    assert aws.tags[each.created] == RESTORED


@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
)
def test_if_access_to_the_source_is_denied_the_result_says_so(code: str) -> None:
    for each in READ_ALONE:
        aws, result = refused(each, code)
        assert result.origins == {each.created: Origin.UNREADABLE}, each.name
        assert result.reason == "tags copied from the recovery point (source access denied)", each.name
        assert aws.tags[each.created] == OLD, each.name


@pytest.mark.parametrize(
    ("code", "origin"),
    [
        ("NoSuchBucket", Origin.GONE),
        ("404", Origin.GONE),
        ("PermanentRedirect", Origin.ELSEWHERE),
        ("301", Origin.ELSEWHERE),
        ("IllegalLocationConstraintException", Origin.ELSEWHERE),
    ],
)
def test_for_a_bucket_that_is_not_here_the_tags_of_the_recovery_point_are_copied(
    code: str, origin: Origin
) -> None:
    aws, result = refused(BUCKET, code)
    assert result.origins == {BUCKET.created: origin}
    assert aws.tags[BUCKET.created] == OLD


def test_not_every_not_found_of_storage_gateway_is_about_the_resource() -> None:
    each = BY_NAME["storage-gateway"]
    assert refused(each, "VolumeNotFound")[1].origins == {each.created: Origin.GONE}
    with pytest.raises(CallFailedError, match="EndpointNotFound"):
        refused(each, "EndpointNotFound")


LISTS = [tagger for tagger in TAGGERS if isinstance(tagger.reads, ListCall)]


@pytest.mark.parametrize("tagger", LISTS, ids=lambda tagger: f"{tagger.service} {tagger.resources[0]}")
def test_of_the_errors_in_a_services_model_only_not_found_means_deleted(tagger: Tagger) -> None:
    shapes = service_model(tagger.client).operation_model(api_name(tagger.reads.operation)).error_shapes
    codes = [shape.metadata.get("error", {}).get("code", shape.name) for shape in shapes]
    deleted = [code for code in codes if code.endswith(tagger.not_found)]
    assert deleted == [code for code in codes if "NotFound" in code]
