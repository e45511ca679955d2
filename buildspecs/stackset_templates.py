"""The StackSets' templates, each under a key that changes with its content.

`python -m buildspecs.stackset_templates` writes each template to `.build/deployment/<first 16 hex digits of
its SHA-256>/<file name>`; the pipeline extracts that folder to the prefix `deployment` of the deployment
bucket. CloudFormation sees no change as long as a TemplateURL stays the same, so an edited template needs
another key, and an unedited one must keep its key.

It also writes `.build/pipeline-variables.sh` (pipeline_variables.py), which exports the keys, the Regions of
the package buckets and the four package values for the stack aws-backup-ssm-targets
(packaging/parameters.py).
"""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import boto3

from buildspecs import names, pipeline_variables
from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import BuildError, exit_code
from buildspecs.packaging import parameters
from buildspecs.paths import BUILD_FOLDER, ROOT
from buildspecs.targets import FILE, package_regions, read, stack_tags, target_regions

KEY_PREFIX = "deployment"

# The StackSet whose template's key is exported as the variable.
STACK_SETS: Mapping[str, str] = {
    "LAMBDA_S3_BUCKET_TEMPLATE_KEY": names.PACKAGES_SET,
    "TAGONRESTORE_ROLE_TEMPLATE_KEY": names.TAG_ROLE_SET,
    "TAGONRESTORE_TEMPLATE_KEY": names.TAG_SET,
    "MEMBER_ACCOUNT_ROLE_TEMPLATE_KEY": names.MEMBER_ROLE_SET,
    "MEMBER_ACCOUNT_TEMPLATE_KEY": names.MEMBER_SET,
}
_bodies = {stack_set.name: stack_set.body for stack_set in names.STACKSETS}
BODIES: Mapping[str, str] = {variable: _bodies[name] for variable, name in STACK_SETS.items()}


def write_bodies(root: Path, folder: Path) -> dict[str, str]:
    """Write each template below its hash into an emptied folder; returns the object key of each variable."""
    shutil.rmtree(folder, ignore_errors=True)
    keys = {}
    for variable, name in BODIES.items():
        content = _content(root, name)
        copy = folder / hashlib.sha256(content).hexdigest()[:16] / Path(name).name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        keys[variable] = f"{KEY_PREFIX}/{copy.relative_to(folder).as_posix()}"
    return keys


def _content(root: Path, name: str) -> bytes:
    try:
        return (root / name).read_bytes()
    except OSError as error:
        raise BuildError(f"template {name} cannot be read: {error.strerror}") from error


def main(
    arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None, root: Path = ROOT
) -> int:
    """Write templates and variables; see the module's text."""
    argparse.ArgumentParser(
        prog="buildspecs.stackset_templates", description=(__doc__ or "").partition("\n")[0]
    ).parse_args(arguments)

    def command() -> int:
        aws = session or boto3.session.Session()
        home = home_region(aws)
        pipeline_variables.discard(root)
        variables = write_bodies(root, root / BUILD_FOLDER / KEY_PREFIX)
        targets = read(root / FILE)
        variables["PACKAGE_REGIONS"] = ",".join(package_regions(target_regions(targets), home))
        variables |= parameters.values(
            _content(root, names.SSM_TEMPLATE).decode(),
            stack_tags(targets),
            aws.client("ssm", region_name=home, config=RETRIES),
            aws.client("cloudformation", region_name=home, config=RETRIES),
        )
        pipeline_variables.export(variables, root)
        return 0

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
