"""S3 objects that services read for an account: CodeCommit, StackSets and Lambda.

Bucket names are unique across all accounts; another account reads only what the bucket's owner allows (bucket
policy, organization condition included). The messages name bucket and key, as AWS's do.
"""

import re

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base

_S3_HOST = r"s3([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?"
_URL_FORMS = (
    re.compile(rf"https://(?P<bucket>[a-z0-9.-]+)\.{_S3_HOST}/(?P<key>.+)"),
    re.compile(rf"https://{_S3_HOST}/(?P<bucket>[a-z0-9.-]+)/(?P<key>.+)"),
)
_URL_HINT = "https://<bucket>.s3.<region>.amazonaws.com/<key>"


class NoSuchObjectError(ValueError):
    """The object cannot be read; code is S3's: NoSuchBucket, NoSuchKey or AccessDenied."""

    def __init__(self, code: str, message: str, bucket: str, key: str) -> None:
        super().__init__(f"S3 error: {code}: {message} (s3://{bucket}/{key})")
        self.code = code
        self.detail = message
        self.bucket = bucket
        self.key = key


def read(bucket: str, key: str, version: str | None = None) -> bytes:
    """The bytes of an object as the requesting account may read them; raises NoSuchObjectError."""
    owner = hooks.s3._bucket_owner_account(bucket)
    if owner is None:
        raise NoSuchObjectError("NoSuchBucket", "The specified bucket does not exist", bucket, key)
    reader = base.account()
    if owner != reader and not hooks.s3._foreign_bucket_allows(owner, bucket, key, "GET", {}, reader):
        raise NoSuchObjectError("AccessDenied", f"account {reader} may not read it", bucket, key)
    with base.scope(owner, base.region()):
        content: bytes | None = hooks.s3._get_object_data(bucket, key, version_id=version)
    if content is None:
        raise NoSuchObjectError("NoSuchKey", "The specified key does not exist", bucket, key)
    return content


def from_url(url: str) -> tuple[str, str]:
    """Bucket and key of an S3 URL, virtual-hosted or path style; raises ValueError for any other URL."""
    for form in _URL_FORMS:
        if found := form.fullmatch(url):
            return found["bucket"], found["key"]
    raise ValueError(f"TemplateURL must reference a valid S3 object ({_URL_HINT}), not {url}")
