"""Check of aws-backup-ssm-targets.json, the one file that an operator edits.

`python -m buildspecs.targets [FILE] [--account ID] [--home-region REGION]` lists all faults at once and exits
with 1. For a valid file, it names the Regions that need attention. The validation build, `make targets` and
the tests call the same functions. Requires only Python and botocore, whose list of partitions says which
Regions exist. A newer Region needs a newer botocore; the message names the version.

A wrong value would fail late and far away, in a StackSet operation or in a policy that protects nothing, so
the check goes beyond the form of each value: all targets are below one root, whose ID is part of every
unit's; all Regions, that of the central vault included, are in one partition; the home account, as a
delegated administrator, is not the management account. `StackPolicy`, which CodePipeline accepts, is refused.

Sources. IDs of accounts, roots, organizational units and organizations: AWS Organizations' API. A root among
the targets: DeploymentTargets of a StackSet. Vault names: AWS Backup's CreateBackupVault. Tags:
CloudFormation's Tag. Length of a list: SSM's standard parameters. Regions in which a delegated administrator
for StackSets can be registered:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
Regions without cross-account management:
https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-feature-availability.html#features-by-region
"""

import argparse
import codecs
import functools
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import botocore
import botocore.loaders

from buildspecs.errors import TargetsError, exit_code
from buildspecs.names import EXAMPLES, HOME, TARGETS_FILE
from buildspecs.paths import ROOT

FILE = Path(TARGETS_FILE)
# The template of stack 3. Its trust policy is the only list of the Regions that are disabled by default.
ADMINISTRATION_ROLE = ROOT / f"{HOME}/aws-cloudformation-stackset-admin-role.yaml"
# Where the home Region may be, in the partitions that the page covers.
DELEGATION_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
DELEGATION_REGIONS = (
    *("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1"),
)
# Where AWS Backup has no cross-account management yet.
UNMANAGED_REGIONS = frozenset({"ap-east-2", "ap-southeast-6", "ap-southeast-7", "mx-central-1"})

MAX_TAGS = 50
MAX_LIST_LENGTH = 4096  # of an SSM standard parameter, and of a CloudFormation parameter's value
# Lambda's 4 KB for all environment variables of a function, less the others of TagOnRestore.
MAX_EXCLUSIONS_LENGTH = 3072
ACCOUNT = re.compile(r"[0-9]{12}")
ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
# Group 1 is the ID of the root: an organization has one, so it is the same in all targets.
ORGANIZATIONAL_UNIT = re.compile(r"ou-([0-9a-z]{4,32})-[a-z0-9]{8,32}")
ROOT_ID = re.compile(r"r-([0-9a-z]{4,32})")
VAULT_NAME = re.compile(r"[a-zA-Z0-9_-]{2,50}")
VAULT_ARN = "arn:<partition>:backup:<region>:<12-digit account>:backup-vault:<vault name>"
# "None" in another spelling would be the name of a role that does not exist.
ROLE_NAME = re.compile(r"none|(?!(?i:none)$)(?=.{1,512}$)([\w+=,.@-]+/)*[\w+=,.@-]{1,64}", re.ASCII)
BUCKET_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{1,28}")
MULTI_REGION_KEY = re.compile(r"mrk-[0-9a-f]{32}")
EXCLUSION = re.compile(r"[^\s,{][^,{]{0,127}")  # SSM reads {{ as a reference


def split(value: str) -> list[str]:
    """The items of a comma-separated list, without the spaces around them."""
    return [item.strip(" ") for item in value.split(",")]


@functools.cache
def partitions() -> Mapping[str, str]:
    """Each Region that botocore knows, with its partition, such as {"us-east-1": "aws"}."""
    known = botocore.loaders.create_loader().load_data("partitions")["partitions"]
    return {
        region: partition["id"]
        for partition in known
        for region in partition["regions"]
        if not region.endswith("-global")  # the pseudo Regions of global services
    }


@functools.cache
def opt_in_regions() -> frozenset[str]:
    """The Regions that are disabled by default: those that the StackSets administration role trusts."""
    trusted = ADMINISTRATION_ROLE.read_text(encoding="utf-8")
    return frozenset(re.findall(r"\bcloudformation\.([a-z0-9-]+)\.amazonaws\.com\b", trusted))


def read(path: Path) -> object:
    """The parsed file. Raises TargetsError if it cannot be read, is not plain JSON, or repeats a key."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TargetsError(f"{path}: cannot be read: {error.strerror}") from error
    if raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TargetsError(f"{path}: starts with a byte order mark; save it as UTF-8 without one")
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_without_repetition, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        raise TargetsError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise TargetsError(
            f"{path}: is not JSON, line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise TargetsError(f"{path}: {error}") from error


def check(
    document: object,
    *,
    account: str | None = None,
    home_region: str | None = None,
    examples_allowed: bool = False,
) -> list[str]:
    """All faults of the parsed file, each with its key, its value and what is needed; none if it is valid.

    account, home_region: where the build runs; they must be the home account and a possible home Region.
    None if unknown.
    examples_allowed: the values of EXAMPLES are not faults, and other values are not compared with them.
    """
    if not isinstance(document, dict):
        return [f'the file holds {_shown(document)}; it needs an object with "Parameters" and "Tags"']
    faults = [
        f"unknown key {_shown(key)}; the file holds Parameters and Tags"
        for key in document
        if key not in _TOP_LEVEL
    ]
    parameters = document.get("Parameters")
    if not isinstance(parameters, dict):
        return [*faults, f"Parameters: {_holds(document, 'Parameters')}; it needs an object with {_KEYS}"]
    strings = {
        key: value
        for key, value in parameters.items()
        if isinstance(value, str) and not (examples_allowed and value == EXAMPLES.get(key))
    }
    return [
        *faults,
        *_form_faults(parameters, examples_allowed),
        *_home_account_faults(strings, account),
        *_home_region_faults(home_region),
        *_partition_faults(strings),
        *_root_faults(strings),
        *_tag_faults(document.get("Tags", {})),
    ]


def package_regions(target_regions: Iterable[str], home_region: str) -> list[str]:
    """The Regions that hold the packages, sorted, so that their order in the file changes no stack."""
    return sorted({*target_regions, home_region})


def target_regions(document: object) -> list[str]:
    """The target Regions of a parsed file, in its order, even if the file has other faults."""
    match document:
        case {"Parameters": {"TargetRegions": str(value)}}:
            return split(value)
    raise TargetsError(f"{FILE}: Parameters has no list TargetRegions")


def warnings(document: object, home_region: str | None) -> Iterator[str]:
    """What a valid file's Regions, and the home Region, need or lack."""
    match document:
        case {"Parameters": {"TargetGlobalRegion": str(global_region)}}:
            targets = set(target_regions(document))
            if disabled := opt_in_regions() & {*targets, global_region, home_region}:
                yield (
                    f"disabled by default: {', '.join(sorted(disabled))}; enable them in the management"
                    " account, the home account and every member account first"
                )
            if unmanaged := UNMANAGED_REGIONS & targets:
                yield (
                    "without AWS Backup's cross-account management, which backup policies need:"
                    f" {', '.join(sorted(unmanaged))}"
                )


def stack_tags(document: object) -> dict[str, str] | None:
    """The stack's tags in a valid file; None if it sets none."""
    match document:
        case {"Tags": dict(tags)}:
            return tags
    return None


@dataclass(frozen=True)
class Form:
    """What a value must look like: in words, and as a function that returns its faults."""

    needs: str
    faults: Callable[[str], Iterable[str]]


@dataclass(frozen=True)
class Option:
    """A key that may be left out: its default in aws-backup-ssm-targets.yaml, and the form of its values."""

    default: str
    form: Form


def _form_faults(parameters: Mapping[str, object], examples_allowed: bool) -> Iterator[str]:
    given = {key: option.form for key, option in OPTIONS.items() if key in parameters}
    forms = {**REQUIRED, **given}
    for key in parameters:
        if key not in forms:
            yield f"unknown key {_shown(key)}; Parameters holds {_KEYS} and, optionally, {', '.join(OPTIONS)}"
    for key, form in forms.items():
        value = parameters.get(key)
        if not isinstance(value, str):
            yield f"{key}: {_holds(parameters, key)}; it must be {form.needs}, in double quotes"
        elif value == EXAMPLES.get(key):
            if examples_allowed:
                continue
            yield f"{key}: still holds the example {_shown(value)}; replace it with {form.needs}"
        else:
            yield from (f"{key}: {fault}; it must be {form.needs}" for fault in form.faults(value))


def _matching(pattern: re.Pattern[str]) -> Callable[[str], Iterator[str]]:
    def faults(value: str) -> Iterator[str]:
        if not pattern.fullmatch(value):
            yield f"holds {_shown(value)}"

    return faults


def _region(value: str) -> Iterator[str]:
    if value not in partitions():
        yield f"{_shown(value)} is not a Region that botocore {botocore.__version__} knows"


def _list_of(
    item_faults: Callable[[str], Iterable[str]], longest: int = MAX_LIST_LENGTH
) -> Callable[[str], Iterator[str]]:
    def faults(value: str) -> Iterator[str]:
        if len(value) > longest:
            yield f"has {len(value)} characters, more than {longest}"
        counted = Counter(split(value))
        if not value.strip(" "):
            yield "is empty"
        elif "" in counted:
            yield f"has an empty item: {_shown(value)}"
        for item, times in counted.items():
            if item:
                yield from item_faults(item)
                if times > 1:
                    yield f"holds {_shown(item)} {times} times"

    return faults


def _unit(value: str) -> Iterator[str]:
    if not (ORGANIZATIONAL_UNIT.fullmatch(value) or ROOT_ID.fullmatch(value)):
        yield f"holds {_shown(value)}"


def _vault(value: str) -> Iterator[str]:
    parts = value.split(":")
    if len(parts) != 7 or (parts[0], parts[2], parts[5]) != ("arn", "backup", "backup-vault"):
        yield f"holds {_shown(value)}"
        return
    _, partition, _, region, account, _, name = parts
    if region not in partitions():
        yield from _region(region)
    elif partitions()[region] != partition:
        yield f"{region} is in partition {partitions()[region]}, not {_shown(partition)}"
    if not ACCOUNT.fullmatch(account):
        yield f"account {_shown(account)} is not 12 digits"
    if not VAULT_NAME.fullmatch(name):
        yield f"vault name {_shown(name)} is not 2 to 50 letters, digits, hyphens and underscores"


_ACCOUNT_FORM = Form("an account ID of exactly 12 digits", _matching(ACCOUNT))
REQUIRED: Mapping[str, Form] = {
    "TargetHomeAccount": _ACCOUNT_FORM,
    "TargetRegions": Form('one or more Regions, such as "us-east-1, us-east-2"', _list_of(_region)),
    "TargetGlobalRegion": Form('one Region, such as "us-east-1"', _region),
    "TargetOUs": Form(
        "one or more IDs of organizational units (ou-<root>-<unit>) or of the root (r-<root>)",
        _list_of(_unit),
    ),
    "CentralBackupVaultArn": Form(f"the central vault's ARN, {VAULT_ARN}", _vault),
    "OrgManagementAccount": _ACCOUNT_FORM,
    "OrganizationId": Form(
        "an organization ID: o- and 10 to 32 lowercase letters and digits", _matching(ORGANIZATION)
    ),
}


def _or_none(needs: str, faults: Callable[[str], Iterable[str]]) -> Form:
    """A form that also accepts no value: none, or an empty string, for which the template writes none."""
    return Form(f"none, or {needs}", lambda value: () if value in ("", "none") else faults(value))


_ROLE_FORM = _or_none(
    "a role name with its path, if any, such as security/backup-admin", _matching(ROLE_NAME)
)
# docs/options.md describes them and says how to add one.
OPTIONS: Mapping[str, Option] = {
    "KeyAdministratorRoleName": Option("none", _ROLE_FORM),
    "BreakGlassRoleName": Option("none", _ROLE_FORM),
    "AccessLogBucketPrefix": Option(
        "none", _or_none("2 to 29 lowercase letters, digits and hyphens", _matching(BUCKET_PREFIX))
    ),
    "LogKeyId": Option(
        "none",
        _or_none(
            "the ID of a multi-Region key (mrk- and 32 hexadecimal digits)", _matching(MULTI_REGION_KEY)
        ),
    ),
    "TagsToExcludeInCopy": Option(
        "aws:backup:source-resource",
        _or_none(
            "tag keys separated by commas, exact or with * for any text",
            _list_of(_matching(EXCLUSION), MAX_EXCLUSIONS_LENGTH),
        ),
    ),
    "OverwriteExistingTags": Option("false", Form("true or false", _matching(re.compile("true|false")))),
    "SweepState": Option("ENABLED", Form("ENABLED or DISABLED", _matching(re.compile("ENABLED|DISABLED")))),
}
_KEYS = ", ".join(REQUIRED)
_TOP_LEVEL = ("Parameters", "Tags")


def _home_account_faults(parameters: Mapping[str, str], account: str | None) -> Iterator[str]:
    home = parameters.get("TargetHomeAccount", "")
    if not ACCOUNT.fullmatch(home) or home == EXAMPLES["TargetHomeAccount"]:
        return  # already reported
    if account is not None and home != account:
        yield f"TargetHomeAccount: holds {_shown(home)}; it needs {account}, where the pipeline runs"
    if home == parameters.get("OrgManagementAccount"):
        yield (
            f"OrgManagementAccount: holds {_shown(home)}, the home account; it needs another account:"
            " the home account is a delegated administrator, which a management account cannot be"
        )


def _home_region_faults(region: str | None) -> Iterator[str]:
    if region is None:
        return
    if region not in partitions():
        yield from (f"home Region: {fault}" for fault in _region(region))
    elif partitions()[region] in DELEGATION_PARTITIONS and region not in DELEGATION_REGIONS:
        yield (
            f"home Region: the pipeline runs in {region}, where a delegated administrator for StackSets"
            f" cannot be registered; it needs one of {', '.join(DELEGATION_REGIONS)}"
        )


def _partition_faults(parameters: Mapping[str, str]) -> Iterator[str]:
    """No service used here works across partitions."""
    regions = [*split(parameters.get("TargetRegions", "")), parameters.get("TargetGlobalRegion", "")]
    regions += parameters.get("CentralBackupVaultArn", "").split(":")[3:4]
    first = {partitions()[region]: region for region in reversed(regions) if region in partitions()}
    if len(first) > 1:
        places = " and ".join(f"{region} in {partition}" for partition, region in sorted(first.items()))
        yield (
            "TargetRegions, TargetGlobalRegion, CentralBackupVaultArn: need Regions of one partition,"
            f" but {places}"
        )


def _root_faults(parameters: Mapping[str, str]) -> Iterator[str]:
    """An organization has one root, whose ID is part of each organizational unit's."""
    units = split(parameters.get("TargetOUs", ""))
    roots = {
        match[1]
        for unit in units
        if (match := ORGANIZATIONAL_UNIT.fullmatch(unit) or ROOT_ID.fullmatch(unit))
    }
    if len(roots) > 1:
        yield f"TargetOUs: needs targets below one root, but there are r-{', r-'.join(sorted(roots))}"


def _tag_faults(tags: object) -> Iterator[str]:
    if not isinstance(tags, dict):
        yield f"Tags: holds {_shown(tags)}; it needs an object of strings"
        return
    if len(tags) > MAX_TAGS:
        yield f"Tags: holds {len(tags)} tags; a stack can have {MAX_TAGS}"
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:") or not _is_tag_text(key):
            yield (
                f"Tags: key {_shown(key)}; it needs 1 to 128 letters, digits, spaces and _.:/=+-@,"
                " and must not begin with aws:"
            )
        if not isinstance(value, str) or not 1 <= len(value) <= 256 or not _is_tag_text(value):
            yield (
                f"Tags: {_shown(key)} holds {_shown(value)};"
                " it needs a string of 1 to 256 letters, digits, spaces and _.:/=+-@"
            )


def _is_tag_text(text: str) -> bool:
    return all(letter in "_.:/=+-@" or unicodedata.category(letter)[0] in "LNZ" for letter in text)


def _holds(container: Mapping[str, object], key: str) -> str:
    return f"holds {_shown(container[key])}" if key in container else "is missing"


def _shown(value: object) -> str:
    """A value as JSON, on one line of ASCII, truncated if long."""
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if repeated:
        raise ValueError(f"the key {', '.join(map(_shown, repeated))} appears more than once in one object")
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise ValueError(f"is not JSON: {name} is not a JSON value")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the file; see the module's docstring for the command line."""
    parser = argparse.ArgumentParser(
        prog="buildspecs.targets", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("file", nargs="?", type=Path, default=FILE, help="default: %(default)s")
    parser.add_argument("--account", type=_account_argument, help="the account that the pipeline runs in")
    parser.add_argument("--home-region", metavar="REGION", help="the Region that the pipeline runs in")
    options = parser.parse_args(arguments)

    def command() -> int:
        document = read(options.file)
        faults = check(document, account=options.account, home_region=options.home_region)
        for fault in faults:
            print(f"{options.file}: {fault}", file=sys.stderr)
        if not faults:
            print(f"{options.file}: valid, for {', '.join(target_regions(document))}")
            for warning in warnings(document, options.home_region):
                print(f"{options.file}: {warning}")
        return 1 if faults else 0

    return exit_code(command)


def _account_argument(text: str) -> str:
    if not ACCOUNT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an account ID of 12 digits")
    return text


if __name__ == "__main__":
    sys.exit(main())
