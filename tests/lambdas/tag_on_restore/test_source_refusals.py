"""What a service answers when the source is read: which of it means "not here", and which has to be retried.

The codes are those of botocore's models and of the pages on common errors and on S3's error responses
(AmazonS3/latest/API/ErrorResponses.html).
"""

import pytest
from botocore.exceptions import ReadTimeoutError
from tag_on_restore import restore
from tag_on_restore.aws import Aws
from tag_on_restore.errors import CallFailedError
from tag_on_restore.event import RestoreEvent, parse
from tag_on_restore.outcome import Origin, Outcome
from tag_on_restore.taggers import TAGGERS, Lists, Tagger

from tests.lambdas.tag_on_restore import fake_aws
from tests.lambdas.tag_on_restore.fake_aws import FakeAws, Fault
from tests.lambdas.tag_on_restore.resources import ROWS, Row
from tests.lambdas.tag_on_restore.situations import NOW, SETTINGS, estate, run
from tests.lambdas.tag_on_restore.test_calls import name

SOURCE = {"project": "shop"}
RESTORED: dict[str, str] = {}
OLD = {"project": "as of the backup"}
(BUCKET,) = (row for row in ROWS if row.name == "s3")
# An instance is read in one call together with its source.
LISTED = [row for row in ROWS if not row.looks_for_volumes]
EACH = pytest.mark.parametrize("row", LISTED, ids=lambda row: row.name)
# What any service may answer, whatever becomes of the resource.
PASSING = [
    ("ThrottlingException", 400),
    ("ThrottlingException", 429),
    ("Throttling", 400),
    ("ThrottledException", 400),
    ("TooManyRequestsException", 429),
    ("RequestLimitExceeded", 503),
    ("RequestThrottled", 400),
    ("ProvisionedThroughputExceededException", 400),
    ("SlowDown", 503),
    ("503", 503),
    ("429", 429),
    ("RequestTimeout", 400),
    ("RequestTimeTooSkewed", 403),
    ("ExpiredToken", 400),
    ("ExpiredTokenException", 400),
    ("TokenRefreshRequired", 400),
    ("InvalidToken", 400),
    ("InvalidAccessKeyId", 403),
    ("SignatureDoesNotMatch", 403),
    ("UnrecognizedClientException", 400),
    ("InvalidClientTokenId", 403),
    ("InternalError", 500),
    ("ServiceUnavailable", 503),
    ("OperationAborted", 409),
    ("TemporaryRedirect", 307),
    ("MethodNotAllowed", 405),
    ("InvalidRequest", 400),
]
READ_SOURCE = 2


def refused(row: Row, code: str, status: int) -> tuple[FakeAws, Outcome]:
    """What becomes of the row's job when its source is refused so."""
    aws = estate(row, SOURCE, RESTORED, point=OLD)
    with aws.fault(READ_SOURCE, Fault(code, status=status)):
        return aws, run(aws, row.event)


@EACH
def test_what_passes_is_no_reason_to_take_older_tags(row: Row) -> None:
    for code, status in PASSING:
        aws = estate(row, SOURCE, RESTORED, point=OLD)
        with aws.fault(READ_SOURCE, Fault(code, status=status)), pytest.raises(CallFailedError, match=code):
            run(aws, row.event)
        assert aws.tags[row.created] == RESTORED, f"{code} {status}"
    run(aws, row.event)
    assert aws.tags[row.created] == SOURCE


@EACH
def test_a_source_that_does_not_answer_in_time_is_asked_again(row: Row) -> None:
    aws = estate(row, SOURCE, RESTORED, point=OLD)

    class Slow(Aws):
        asked = 0

        def call(
            self, service: str, operation: str, about: object, **parameters: object
        ) -> dict[str, object]:
            if str(about) == row.original:
                raise CallFailedError(f"{service}: {ReadTimeoutError(endpoint_url=service)}")
            return super().call(service, operation, about, **parameters)

    request = parse(row.event, NOW)
    assert isinstance(request, RestoreEvent)
    with pytest.raises(CallFailedError, match="Read timeout"):
        restore.handle(Slow(aws), SETTINGS, request)
    assert aws.tags[row.created] == RESTORED


@EACH
@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
)
def test_a_source_that_may_not_be_read_is_told_as_that(row: Row, code: str) -> None:
    aws, outcome = refused(row, code, 403)
    assert outcome.origins == {row.created: Origin.UNREADABLE}
    assert outcome.reason == "tags copied from the recovery point (source may not be read)"
    assert aws.tags[row.created] == OLD


@pytest.mark.parametrize(
    ("code", "status", "why"),
    [
        ("NoSuchBucket", 404, Origin.GONE),
        ("404", 404, Origin.GONE),
        ("PermanentRedirect", 301, Origin.ELSEWHERE),
        ("301", 301, Origin.ELSEWHERE),
        ("IllegalLocationConstraintException", 400, Origin.ELSEWHERE),
        ("AccessDenied", 403, Origin.UNREADABLE),
    ],
)
def test_a_bucket_that_is_not_here_leaves_the_recovery_point(code: str, status: int, why: Origin) -> None:
    aws, outcome = refused(BUCKET, code, status)
    assert outcome.origins == {BUCKET.created: why}
    assert aws.tags[BUCKET.created] == OLD


@pytest.mark.parametrize(("code", "gone"), [("VolumeNotFound", True), ("EndpointNotFound", False)])
def test_not_everything_that_storage_gateway_does_not_find_is_the_resource(code: str, gone: bool) -> None:
    (row,) = (row for row in ROWS if row.name == "storage-gateway")
    if gone:
        assert refused(row, code, 400)[1].origins == {row.created: Origin.GONE}
    else:
        with pytest.raises(CallFailedError, match=code):
            refused(row, code, 400)


LISTS = [tagger for tagger in TAGGERS if isinstance(tagger.reads, Lists)]


@pytest.mark.parametrize("tagger", LISTS, ids=lambda tagger: f"{tagger.service} {tagger.resources[0]}")
def test_of_the_errors_in_a_services_model_only_not_found_means_gone(tagger: Tagger) -> None:
    model = fake_aws.new_client(tagger.client).meta.service_model
    shapes = model.operation_model(name(tagger.reads.operation)).error_shapes
    codes = {shape.metadata.get("error", {}).get("code", shape.name): shape for shape in shapes}
    gone = {code for code in codes if code.endswith(tagger.gone)}
    assert gone == {code for code in codes if "NotFound" in code}
