"""Put a Lambda package into every Region that needs it, and record it in SSM last.

`python -m buildspecs.packaging build PACKAGE` makes `.build/packages/<key>`; `publish PACKAGE` also puts it
into the bucket of every target Region and of the home Region, and records it. The key carries the hash of the
content: a stack sees a change exactly when the content changes.

Every bucket is checked, whatever SSM says: a Region that was added later gets the package, and the next run
completes one that failed half-way. SSM is written only after every bucket has the package.

`publish` ends with `.build/pipeline-variables.sh`, which exports the key as PACKAGE: the function's stack
deploys what this very build has tested, whatever SSM says by then.
"""

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from buildspecs import pipeline_variables
from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import PublishError, exit_code
from buildspecs.names import PACKAGES_SET, TARGETS_STACK, wrapper
from buildspecs.packaging.archive import PACKAGES, Archive, build, write
from buildspecs.packaging.parameters import Ssm, recorded
from buildspecs.paths import ROOT
from buildspecs.targets import package_regions, split


class S3(Protocol):
    """The calls that publishing makes with an S3 client."""

    def head_object(self, **request: str) -> Mapping[str, Any]: ...
    def put_object(self, **request: str | bytes) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Bucket:
    """The package bucket of one Region. Every call fails if another account owns a bucket of that name."""

    name: str
    region: str
    owner: str
    s3: S3

    def checksum_of(self, key: str) -> str | None:
        """The SHA-256 that S3 keeps of an object, empty if it keeps none; None if there is no such object."""
        try:
            found = self.s3.head_object(
                Bucket=self.name, Key=key, ExpectedBucketOwner=self.owner, ChecksumMode="ENABLED"
            )
        except ClientError as error:
            if _status(error) == 404:  # no such key or no such bucket: the upload shows which
                return None
            raise
        return str(found.get("ChecksumSHA256", ""))

    def put(self, archive: Archive) -> None:
        """Upload; S3 refuses content that does not have the checksum."""
        self.s3.put_object(
            Bucket=self.name,
            Key=archive.key,
            Body=archive.content,
            ExpectedBucketOwner=self.owner,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=archive.s3_checksum,
            ContentType="application/zip",
        )


def publish(archive: Archive, buckets: Iterable[Bucket], ssm: Ssm) -> None:
    """Put the archive where it is missing, then record it. Prints one line for each bucket and parameter.

    Raises PublishError after it has tried every bucket; SSM is unchanged then.
    """
    current = recorded((archive.package,), ssm)
    missing = [name for name, value in current.items() if value is None]
    if missing:
        raise PublishError(
            f"SSM parameter {' and '.join(missing)} does not exist: deploy stack {TARGETS_STACK} first"
        )
    faults = [fault for bucket in buckets if (fault := _deliver(archive, bucket))]
    if faults:
        raise PublishError("\n".join([*faults, "SSM is unchanged; repair this, then run the build again"]))
    _record(archive.package.name_parameter, archive.key, current, ssm)
    _record(archive.package.hash_parameter, archive.sha256, current, ssm)


def _record(name: str, value: str, current: Mapping[str, str | None], ssm: Ssm) -> None:
    if current[name] == value:
        print(f"SSM {name}: unchanged")
        return
    try:
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    except (ClientError, BotoCoreError) as error:
        raise PublishError(f"SSM {name}: {error}; every bucket is complete, run the build again") from error
    print(f"SSM {name}: {value}")


def _deliver(archive: Archive, bucket: Bucket) -> str | None:
    """Make sure that the bucket has the archive. Returns a fault, so that the other buckets are tried."""
    try:
        found = bucket.checksum_of(archive.key)
        if found != archive.s3_checksum:
            bucket.put(archive)
    except (ClientError, BotoCoreError) as error:
        print(f"{bucket.region}: FAILED, {bucket.name}/{archive.key}")
        return _explained(error, bucket)
    outcome = {None: "uploaded", archive.s3_checksum: "already there"}.get(found, "replaced other content")
    print(f"{bucket.region}: {outcome}, {bucket.name}/{archive.key}")
    return None


def _explained(error: Exception, bucket: Bucket) -> str:
    where = f"bucket {bucket.name} in {bucket.region}"
    if isinstance(error, ClientError):
        if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
            return (
                f"{where} does not exist: stack {wrapper(PACKAGES_SET)} creates it; find out why its"
                f" StackSet {PACKAGES_SET} has no stack instance in {bucket.region}"
            )
        if _status(error) == 403:
            return (
                f"{where}: access denied ({error.operation_name}): it must belong to account {bucket.owner},"
                " and the build's role needs s3:ListBucket, s3:GetObject and s3:PutObject there"
            )
    return f"{where}: {error}"


def _status(error: ClientError) -> int | None:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")


@dataclass(frozen=True)
class Destination:
    """Where a build publishes: home Region and account, target Regions, prefix of the bucket names."""

    home_region: str
    account: str
    target_regions: tuple[str, ...]
    bucket_prefix: str

    @classmethod
    def of_build(cls, environment: Mapping[str, str], session: boto3.session.Session) -> Self:
        """From the variables that the buildspec reads from SSM, and from the build's own credentials."""
        wanted = ("TARGET_REGIONS", "PACKAGE_BUCKET_PREFIX")
        missing = [name for name in wanted if not environment.get(name, "").strip()]
        if missing:
            raise PublishError(
                f"environment variable {', '.join(missing)} is not set; the buildspec reads it from SSM"
            )
        return cls(
            home_region=home_region(session),
            account=session.client("sts", config=RETRIES).get_caller_identity()["Account"],
            target_regions=tuple(split(environment["TARGET_REGIONS"])),
            bucket_prefix=environment["PACKAGE_BUCKET_PREFIX"].strip(),
        )

    def buckets(self, session: boto3.session.Session) -> list[Bucket]:
        """One bucket for each target Region and for the home Region, where the policy manager runs."""
        return [
            Bucket(
                name=f"{self.bucket_prefix}-{self.account}-{region}",
                region=region,
                owner=self.account,
                s3=session.client("s3", region_name=region, config=RETRIES),
            )
            for region in package_regions(self.target_regions, self.home_region)
        ]


def main(
    arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None, root: Path = ROOT
) -> int:
    """Build or publish one package; see the module's text for the command line."""
    parser = argparse.ArgumentParser(
        prog="buildspecs.packaging", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("action", choices=["build", "publish"])
    parser.add_argument("package", choices=sorted(PACKAGES))
    options = parser.parse_args(arguments)

    def command() -> int:
        pipeline_variables.discard(root)
        archive = build(PACKAGES[options.package], root)
        print(f"{write(archive, root)}: sha256 {archive.sha256}")
        if options.action == "publish":
            aws = session or boto3.session.Session()
            destination = Destination.of_build(os.environ, aws)
            ssm = aws.client("ssm", region_name=destination.home_region, config=RETRIES)
            publish(archive, destination.buckets(aws), ssm)
            pipeline_variables.export({"PACKAGE": archive.key}, root)
        return 0

    return exit_code(command)
