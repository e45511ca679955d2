"""The AWS edge beside Organizations: the role in the management account, S3 objects, names of Regions."""

import logging
from dataclasses import dataclass

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.loaders import create_loader

from .errors import CallFailedError, PolicyManagerError
from .organizations import Organization
from .patience import Patience
from .request import S3Object

log = logging.getLogger(__name__)

# A call ends within 7 s (less than patience.UNDO_RESERVE); patience.py repeats it, botocore does not.
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})

# A policy has at most 10,000 characters without its blanks; a larger object is a mistake.
MAX_OBJECT_BYTES = 1_000_000


@dataclass(frozen=True)
class Aws:
    """Builds only the clients that a request needs.

    role:      name of the role to assume in the management account
    partition: aws, aws-cn, aws-us-gov …
    """

    role: str
    partition: str
    patience: Patience

    def organization(self, account: str) -> Organization:
        """The organization that this account manages; CallFailedError if the role cannot be assumed."""
        if not self.role:
            raise PolicyManagerError("environment variable ORG_ADMIN_ROLE_NAME of the function is not set")
        arn = f"arn:{self.partition}:iam::{account}:role/{self.role}"
        sts = boto3.client("sts", config=CONFIG)
        try:
            answer = self.patience.persist(
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
        credentials = answer["Credentials"]
        client: BaseClient = boto3.client(
            "organizations",
            config=CONFIG,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        return Organization(client, self.patience)

    def read_object(self, place: S3Object) -> str:
        """The object's text. Raises ValueError, saying why, if it cannot be read as text."""
        s3 = boto3.client("s3", config=CONFIG)
        version = {"VersionId": place.version} if place.version else {}

        def attempt() -> bytes:
            body = s3.get_object(Bucket=place.bucket, Key=place.key, **version)["Body"]
            return bytes(body.read(MAX_OBJECT_BYTES + 1))

        try:
            content = self.patience.persist(str(place), attempt)
            if len(content) > MAX_OBJECT_BYTES:
                raise ValueError(f"{place}: more than {MAX_OBJECT_BYTES:,} bytes")
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{place}: not UTF-8 text") from error
        except CallFailedError as error:
            raise ValueError(str(error)) from error

    def regions(self) -> frozenset[str]:
        """The Regions of this partition that the SDK knows; of all if it does not know the partition."""
        partitions = create_loader().load_data("partitions")["partitions"]
        known = {entry["id"]: entry["regions"] for entry in partitions}
        chosen = [known[self.partition]] if self.partition in known else list(known.values())
        return frozenset(name for regions in chosen for name in regions if not name.endswith("-global"))
