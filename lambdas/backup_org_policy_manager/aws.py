"""The AWS edge other than Organizations: the role in the management account, S3 objects, Region names."""

import logging
from dataclasses import dataclass
from functools import cache

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.loaders import create_loader

from .errors import CallFailedError, PolicyManagerError
from .organizations import Organization
from .request import S3Object
from .retrier import Retrier

log = logging.getLogger(__name__)

# A call ends within 7 s, less than retrier.UNDO_RESERVE. retrier.py repeats it; botocore does not.
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})

# A policy has at most 10,000 characters without whitespace; a larger object is a mistake.
MAX_OBJECT_BYTES = 1_000_000


@dataclass(frozen=True)
class Aws:
    """Makes only the clients that a request needs.

    role:      the name of the role to assume in the management account
    partition: aws, aws-cn, aws-us-gov …
    """

    role: str
    partition: str
    retrier: Retrier

    def organization(self, account: str) -> Organization:
        """The organization that this account manages; CallFailedError if the role cannot be assumed."""
        if not self.role:
            raise PolicyManagerError("environment variable ORG_ADMIN_ROLE_NAME of the function is not set")
        arn = f"arn:{self.partition}:iam::{account}:role/{self.role}"
        sts = boto3.client("sts", config=CONFIG)
        try:
            response = self.retrier.call(
                f"AssumeRole {arn}",
                lambda: sts.assume_role(RoleArn=arn, RoleSessionName="BackupOrgPolicyManager"),
            )
        except CallFailedError as error:
            if error.code != "AccessDenied":
                raise
            raise CallFailedError(
                f"AssumeRole {arn}",
                error.code,
                f"create stack aws-backup-backuporgpolicymanager-mangement-role in account {account}",
            ) from error
        log.info("action=assume-role role=%s", arn)
        credentials = response["Credentials"]
        client: BaseClient = boto3.client(
            "organizations",
            config=CONFIG,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        return Organization(client, self.retrier)

    def read_object(self, location: S3Object) -> str:
        """The object's text. Raises ValueError with the reason if it cannot be read."""
        s3 = boto3.client("s3", config=CONFIG)
        version = {"VersionId": location.version} if location.version else {}

        def attempt() -> bytes:
            body = s3.get_object(Bucket=location.bucket, Key=location.key, **version)["Body"]
            return bytes(body.read(MAX_OBJECT_BYTES + 1))

        try:
            content = self.retrier.call(str(location), attempt)
            if len(content) > MAX_OBJECT_BYTES:
                raise ValueError(f"{location}: more than {MAX_OBJECT_BYTES:,} bytes")
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{location}: not UTF-8 text") from error
        except CallFailedError as error:
            raise ValueError(str(error)) from error

    def regions(self) -> frozenset[str]:
        """The Regions of this partition in the SDK; of all partitions if the SDK lacks this one.

        A Region that is newer than the runtime's SDK is refused until Lambda updates the runtime.
        """
        known = _regions_by_partition()
        chosen = [known[self.partition]] if self.partition in known else list(known.values())
        return frozenset(name for regions in chosen for name in regions if not name.endswith("-global"))


@cache
def _regions_by_partition() -> dict[str, list[str]]:
    partitions = create_loader().load_data("partitions")["partitions"]
    return {entry["id"]: list(entry["regions"]) for entry in partitions}
