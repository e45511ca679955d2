"""The check of aws-backup-ssm-targets.json: a valid file passes, each fault names its key and value."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildspecs.errors import TargetsError
from buildspecs.names import CENTRAL_VAULT
from buildspecs.paths import ROOT
from buildspecs.targets import (
    DELEGATION_REGIONS,
    EXAMPLES,
    FILE,
    UNMANAGED_REGIONS,
    check,
    main,
    opt_in_regions,
    partitions,
    read,
    split,
    target_regions,
)

VAULT = "arn:aws:backup:us-east-1:333333333333:backup-vault:AWSBackupSolutionCentralVault"
VALID = {
    "TargetHomeAccount": "222222222222",
    "TargetRegions": "us-east-1, us-east-2",
    "TargetGlobalRegion": "us-east-1",
    "TargetOUs": "ou-abcd-12345678",
    "CentralBackupVaultArn": VAULT,
    "OrgManagementAccount": "111111111111",
    "OrganizationId": "o-a1b2c3d4e5",
}
REMOVED = object()


def document(**changes: object) -> dict[str, Any]:
    parameters = {key: value for key, value in (VALID | changes).items() if value is not REMOVED}
    return {"Parameters": parameters, "Tags": {"Application": "Backup"}}


def only_fault(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


VALID_CHANGES: list[dict[str, object]] = [
    {},
    {"TargetRegions": "us-east-1"},
    {"TargetRegions": "us-east-1,us-east-2,eu-west-1"},
    {"TargetRegions": " us-east-1 ,  eu-south-2 "},
    {"TargetGlobalRegion": "eu-central-1"},  # need not be a target
    {"TargetOUs": "ou-abcd-12345678, ou-abcd-abcdefgh"},
    {"TargetOUs": "r-abcd"},  # StackSets accept the root's ID
    {"TargetOUs": "r-abcd, ou-abcd-12345678"},
    {"CentralBackupVaultArn": VAULT.replace("333333333333", "222222222222")},
    {"CentralBackupVaultArn": VAULT.replace("333333333333", "111111111111")},
    {"CentralBackupVaultArn": VAULT.replace(CENTRAL_VAULT, "my_own-Vault")},
    {"TargetHomeAccount": "000000000001"},
    {"SweepState": "DISABLED", "OverwriteExistingTags": "true"},
    {"TagsToExcludeInCopy": "cost:*, aws:backup:source-resource", "LogKeyId": "none"},
    {"KeyAdministratorRoleName": "", "LogKeyId": "", "TagsToExcludeInCopy": ""},
    {
        "TargetRegions": "us-gov-west-1",
        "TargetGlobalRegion": "us-gov-west-1",
        "CentralBackupVaultArn": "arn:aws-us-gov:backup:us-gov-east-1:333333333333:backup-vault:Vault",
    },
    {
        "TargetRegions": "cn-north-1, cn-northwest-1",
        "TargetGlobalRegion": "cn-north-1",
        "CentralBackupVaultArn": "arn:aws-cn:backup:cn-north-1:333333333333:backup-vault:Vault",
    },
]


@pytest.mark.parametrize("changes", VALID_CHANGES, ids=str)
def test_a_valid_file_has_no_fault(changes: dict[str, object]) -> None:
    assert check(document(**changes)) == []


# One wrong value, and what the message must say in addition to the key.
WRONG: list[tuple[str, object, str]] = [
    *[
        (key, value, shown)
        for key in ("TargetHomeAccount", "OrgManagementAccount")
        for value, shown in [
            ("11112222333", '"11112222333"; it must be an account ID of exactly 12 digits'),
            ("1111222233334", '"1111222233334"; it must be'),
            ("1111-2222-3333", "exactly 12 digits"),
            (" 111122224444", "exactly 12 digits"),
            ("111122224444\n", r'"111122224444\n"'),
            ("١١١١٢٢٢٢٤٤٤٤", "exactly 12 digits"),  # digits, but not AWS's
            ("", '""'),
            (
                111122224444,
                "holds 111122224444; it must be an account ID of exactly 12 digits, in double quotes",
            ),
            (None, "holds null"),
            (REMOVED, "is missing; it must be an account ID of exactly 12 digits"),
        ]
    ],
    ("TargetRegions", "us-east-1, us-est-2", '"us-est-2" is not a Region'),
    ("TargetRegions", "us-east-1; us-east-2", '"us-east-1; us-east-2" is not a Region'),
    ("TargetRegions", "US-EAST-1", '"US-EAST-1" is not a Region'),
    ("TargetRegions", "us-east-1a", '"us-east-1a" is not a Region'),
    ("TargetRegions", "aws-global", '"aws-global" is not a Region'),
    ("TargetRegions", "us-east-1, us-east-2, us-east-1", '"us-east-1" 2 times'),
    ("TargetRegions", "us-east-1,,us-east-2", "has an empty item"),
    ("TargetRegions", "us-east-1,", "has an empty item"),
    ("TargetRegions", "", "is empty"),
    ("TargetRegions", "  ", "is empty"),
    ("TargetRegions", "us-east-1,\tus-east-2", r'"\tus-east-2" is not a Region'),
    ("TargetRegions", ["us-east-1"], 'holds ["us-east-1"]; it must be one or more Regions'),
    ("TargetRegions", REMOVED, "is missing; it must be one or more Regions"),
    ("TargetGlobalRegion", "us-east-1, us-east-2", '"us-east-1, us-east-2" is not a Region'),
    ("TargetGlobalRegion", "global", '"global" is not a Region'),
    ("TargetGlobalRegion", "", '"" is not a Region'),
    ("TargetGlobalRegion", REMOVED, "is missing; it must be one Region"),
    ("TargetOUs", "ou-abcd", '"ou-abcd"; it must be one or more IDs of organizational units'),
    ("TargetOUs", "ou-abcd-1234567", '"ou-abcd-1234567"'),
    ("TargetOUs", "ou-abc-12345678", '"ou-abc-12345678"'),
    ("TargetOUs", "ou-ABCD-12345678", '"ou-ABCD-12345678"'),
    ("TargetOUs", "OU-abcd-12345678", '"OU-abcd-12345678"'),
    ("TargetOUs", "ou-abcd-12345678-12345678", '"ou-abcd-12345678-12345678"'),
    ("TargetOUs", "Workloads", '"Workloads"'),
    ("TargetOUs", "r-abc", '"r-abc"'),
    ("TargetOUs", "555555555555", '"555555555555"'),  # an account is not a unit
    ("TargetOUs", "ou-abcd-12345678,ou-abcd-12345678", '"ou-abcd-12345678" 2 times'),
    ("TargetOUs", "ou-abcd-12345678, ou-wxyz-12345678", "below one root, but there are r-abcd, r-wxyz"),
    ("TargetOUs", "", "is empty"),
    ("TargetOUs", ",".join(f"ou-abcd-{n:032d}" for n in range(120)), "characters, more than 4096"),
    ("TargetOUs", REMOVED, "is missing"),
    ("CentralBackupVaultArn", VAULT.replace("333333333333", "33333333333"), '"33333333333" is not 12 digits'),
    ("CentralBackupVaultArn", VAULT.replace("333333333333", ""), '"" is not 12 digits'),
    ("CentralBackupVaultArn", VAULT.replace("333333333333", "<central-account-id>"), "is not 12 digits"),
    ("CentralBackupVaultArn", VAULT.replace("us-east-1", "us-east-9"), '"us-east-9" is not a Region'),
    (
        "CentralBackupVaultArn",
        VAULT.replace("arn:aws:", "arn:aws-cn:"),
        'us-east-1 is in partition aws, not "aws-cn"',
    ),
    ("CentralBackupVaultArn", VAULT.replace(":backup:", ":s3:"), "it must be the central vault's ARN, arn:"),
    (
        "CentralBackupVaultArn",
        VAULT.replace("backup-vault", "recovery-point"),
        "it must be the central vault's",
    ),
    ("CentralBackupVaultArn", VAULT.replace(CENTRAL_VAULT, "a"), 'vault name "a" is not'),
    ("CentralBackupVaultArn", VAULT + "/x", "is not 2 to 50 letters"),
    ("CentralBackupVaultArn", VAULT + ":x", "it must be the central vault's ARN"),
    ("CentralBackupVaultArn", CENTRAL_VAULT, "it must be the central vault's ARN"),
    ("CentralBackupVaultArn", "", "it must be the central vault's ARN"),
    ("CentralBackupVaultArn", REMOVED, "is missing"),
    (
        "CentralBackupVaultArn",
        "arn:aws-cn:backup:cn-north-1:333333333333:backup-vault:Vault",
        "need Regions of one partition, but us-east-1 in aws and cn-north-1 in aws-cn",
    ),
    ("TargetGlobalRegion", "us-gov-west-1", "but us-east-1 in aws and us-gov-west-1 in aws-us-gov"),
    ("TargetRegions", "us-east-1, cn-north-1", "but us-east-1 in aws and cn-north-1 in aws-cn"),
    (
        "OrganizationId",
        "o-a1b2c3d4e",
        "it must be an organization ID: o- and 10 to 32 lowercase letters and digits",
    ),
    ("OrganizationId", "o-A1B2C3D4E5", '"o-A1B2C3D4E5"'),
    ("OrganizationId", "a1b2c3d4e5", '"a1b2c3d4e5"'),
    ("OrganizationId", f"o-{'a' * 33}", "10 to 32"),
    ("OrganizationId", "111111111111", '"111111111111"'),
    ("OrganizationId", REMOVED, "is missing"),
    ("OrgManagementAccount", "222222222222", "the home account; it needs another account"),
    ("SweepState", "DISABLE", 'holds "DISABLE"; it must be ENABLED or DISABLED'),
    ("OverwriteExistingTags", True, "holds true; it must be true or false, in double quotes"),
    ("SweepState", "", 'holds ""; it must be ENABLED or DISABLED'),
    ("KeyAdministratorRoleName", " ", 'holds " "; it must be none, or a role name'),
    ("BreakGlassRoleName", "None", 'holds "None"; it must be none, or a role name'),
    ("TagsToExcludeInCopy", "owner, owner", '"owner" 2 times'),
    (
        "TargetRegion",
        "us-east-1",
        'unknown key "TargetRegion"; Parameters holds TargetHomeAccount, TargetRegions',
    ),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG)
def test_one_wrong_value_is_one_fault_with_its_key(key: str, value: object, words: str) -> None:
    fault = only_fault(check(document(**{key: value})))
    assert key in fault
    assert words in fault


def test_all_faults_are_reported_at_once() -> None:
    faults = check(document(TargetHomeAccount="1", TargetRegions="here, there", OrganizationId=REMOVED))
    assert [fault.partition(":")[0] for fault in faults] == [
        "TargetHomeAccount",
        "TargetRegions",
        "TargetRegions",
        "OrganizationId",
    ]


def test_the_home_account_must_be_the_account_of_the_build() -> None:
    assert check(document(), account="222222222222") == []
    fault = only_fault(check(document(), account="444444444444"))
    assert fault == (
        'TargetHomeAccount: holds "222222222222"; it needs 444444444444, where the pipeline runs'
    )


@pytest.mark.parametrize("region", [*DELEGATION_REGIONS, "eusc-de-east-1", None])
def test_stacksets_can_have_a_delegated_administrator_in_the_home_region(region: str | None) -> None:
    assert check(document(), home_region=region) == []


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (
            "eu-south-1",
            "the pipeline runs in eu-south-1, where a delegated administrator for StackSets cannot",
        ),
        (
            "ap-northeast-3",
            "cannot be registered; it needs one of ap-northeast-1, ap-northeast-2, ap-south-1, ",
        ),
        ("cn-north-1", "runs in cn-north-1"),
        ("us-est-1", '"us-est-1" is not a Region'),
        ("", '"" is not a Region'),
    ],
)
def test_another_home_region_is_refused(region: str, words: str) -> None:
    fault = only_fault(check(document(), home_region=region))
    assert fault.startswith("home Region: ")
    assert words in fault


# "Regions launched before March 20, 2019 are enabled by default", and no Region becomes one of them
# (https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html).
DEFAULT_REGIONS = {
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
}


def test_the_administration_role_trusts_every_region_that_is_disabled_by_default() -> None:
    """A Region that is new in botocore goes into the template of stack 3."""
    of_aws = {region for region, partition in partitions().items() if partition == "aws"}
    assert opt_in_regions() == of_aws - DEFAULT_REGIONS


def test_the_shipped_file_is_reported_as_unedited() -> None:
    shipped = read(ROOT / FILE)
    faults = check(shipped)
    assert len(faults) == len(EXAMPLES)
    for (key, value), fault in zip(EXAMPLES.items(), faults, strict=True):
        assert fault.startswith(f"{key}: still holds the example {json.dumps(value)}; replace it with ")


def test_the_shipped_file_is_valid_except_for_its_examples() -> None:
    shipped = read(ROOT / FILE)
    assert isinstance(shipped, dict)
    edited = shipped["Parameters"] | {key: VALID[key] for key in EXAMPLES}
    assert check(shipped | {"Parameters": edited}) == []


@pytest.mark.parametrize("key", EXAMPLES)
def test_examples_are_not_faults_where_they_are_allowed(key: str) -> None:
    shipped = read(ROOT / FILE)
    assert isinstance(shipped, dict)
    assert check(shipped, examples_allowed=True) == []
    wrong = {**shipped, "Parameters": shipped["Parameters"] | {key: f"{EXAMPLES[key]}:"}}
    (fault,) = check(wrong, examples_allowed=True)
    assert fault.startswith(f"{key}: ")


def test_an_example_that_is_allowed_says_nothing_about_the_partition() -> None:
    china = document(
        TargetRegions="cn-north-1",
        TargetGlobalRegion="cn-north-1",
        CentralBackupVaultArn=EXAMPLES["CentralBackupVaultArn"],
    )
    assert check(china, examples_allowed=True) == []


@pytest.mark.parametrize("key", EXAMPLES)
def test_one_forgotten_example_is_one_fault(key: str) -> None:
    fault = only_fault(
        check(
            document(**{key: EXAMPLES[key]}), account="222222222222" if key != "TargetHomeAccount" else None
        )
    )
    assert fault.startswith(f"{key}: still holds the example")


TOP_LEVEL: list[tuple[object, str]] = [
    ([], 'the file holds []; it needs an object with "Parameters" and "Tags"'),
    ("text", 'the file holds "text"'),
    (None, "the file holds null"),
    ({}, "Parameters: is missing; it needs an object with TargetHomeAccount"),
    ({"Parameters": []}, "Parameters: holds []; it needs an object"),
    (document() | {"parameters": {}}, 'unknown key "parameters"; the file holds Parameters and Tags'),
    (document() | {"StackPolicy": {}}, 'unknown key "StackPolicy"'),
    (document() | {"Tags": ["a"]}, 'Tags: holds ["a"]; it needs an object of strings'),
    (document() | {"Tags": None}, "Tags: holds null"),
    (document() | {"Tags": {"a": 1}}, 'Tags: "a" holds 1; it needs a string of 1 to 256'),
    (document() | {"Tags": {"a": ""}}, 'Tags: "a" holds ""'),
    (document() | {"Tags": {"a": "x" * 257}}, "1 to 256"),
    (document() | {"Tags": {"a": "x;y"}}, 'Tags: "a" holds "x;y"'),
    (document() | {"Tags": {"": "x"}}, 'Tags: key ""; it needs 1 to 128'),
    (document() | {"Tags": {"k" * 129: "x"}}, "1 to 128"),
    (document() | {"Tags": {"aws:stack": "x"}}, 'Tags: key "aws:stack"; it needs 1 to 128'),
    (document() | {"Tags": {"AWS:stack": "x"}}, "must not begin with aws:"),
    (document() | {"Tags": {f"k{n}": "x" for n in range(51)}}, "Tags: holds 51 tags; a stack can have 50"),
]


@pytest.mark.parametrize(("wrong", "words"), TOP_LEVEL)
def test_a_wrong_structure_is_one_fault(wrong: object, words: str) -> None:
    assert words in only_fault(check(wrong))


@pytest.mark.parametrize(
    "tags", [{}, {f"k{n}": "x" for n in range(50)}, {"Größe": "+-=._:/@ ok"}, {"k" * 128: "v" * 256}]
)
def test_tags_within_the_limits_pass(tags: dict[str, str]) -> None:
    assert check(document() | {"Tags": tags}) == []


def test_tags_may_be_left_out() -> None:
    assert check({"Parameters": VALID}) == []


FILES: list[tuple[bytes, str]] = [
    (b"", "is not JSON, line 1, column 1"),
    (b'{\n  "Parameters": {\n    "A": "b"\n    "C": "d"\n  }\n}', "is not JSON, line 4, column 5"),
    (b'{"Parameters": {},}', "is not JSON, line 1"),
    (b"{'Parameters': {}}", "is not JSON, line 1, column 2"),
    (b'{"Parameters": {}} // done', "is not JSON, line 1, column 20"),
    (b'\xef\xbb\xbf{"Parameters": {}}', "byte order mark; save it as UTF-8 without one"),
    ('{"Parameters": {}}'.encode("utf-16"), "byte order mark"),
    (b'{"Parameters": {"A": "\xe9"}}', "is not UTF-8 (byte 22)"),
    (b'{"Parameters": {"A": "1", "A": "2"}}', 'the key "A" appears more than once'),
    (b'{"Tags": {}, "Parameters": {}, "Tags": {}}', 'the key "Tags" appears more than once'),
    (b'{"Parameters": {"A": NaN}}', "NaN is not a JSON value"),
    (b'{"Parameters": {"A": -Infinity}}', "-Infinity is not a JSON value"),
    (b"[" * 200_000, "aws-backup-ssm-targets.json: "),
    (b'{"A": ' + b"1" * 5_000 + b"}", "aws-backup-ssm-targets.json: "),
]


@pytest.mark.parametrize(
    ("raw", "words"), FILES, ids=[words[:40] + str(n) for n, (_, words) in enumerate(FILES)]
)
def test_a_file_that_cannot_be_parsed_is_an_error(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / FILE
    path.write_bytes(raw)
    with pytest.raises(TargetsError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda path: None, "No such file or directory"), (lambda path: path.mkdir(), "Is a directory")],
    ids=["missing", "a folder"],
)
def test_a_missing_file_is_an_error(tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    make(tmp_path / FILE)
    with pytest.raises(TargetsError, match=words):
        read(tmp_path / FILE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / FILE
    path.write_text(json.dumps(document()))
    return path


def test_the_command_accepts_a_valid_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file), "--account", "222222222222"]) == 0
    assert capsys.readouterr().out == f"{file}: valid, for us-east-1, us-east-2\n"


def test_the_command_names_the_regions_that_need_attention(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    regions = "us-east-1,eu-south-2,mx-central-1"
    file.write_text(json.dumps(document(TargetRegions=regions, TargetGlobalRegion="ap-east-2")))
    assert main([str(file), "--home-region", "il-central-1"]) == 0
    assert capsys.readouterr().out == (
        f"{file}: valid, for us-east-1, eu-south-2, mx-central-1\n"
        f"{file}: disabled by default: ap-east-2, eu-south-2, il-central-1, mx-central-1; enable them in the"
        " management account, the home account and every member account first\n"
        f"{file}: without AWS Backup's cross-account management, which backup policies need: mx-central-1\n"
    )


def test_the_documents_name_the_regions_without_cross_account_management() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    sentence = r"[^.;]* have no \*cross-account management\* yet"
    (found,) = (found for page in pages for found in re.findall(sentence, page.read_text(encoding="utf-8")))
    assert set(re.findall(r"[a-z]{2}-[a-z]+-\d", found)) == UNMANAGED_REGIONS


def test_the_command_refuses_an_impossible_home_region(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(file), "--home-region", "eu-south-1"]) == 1
    assert f"{file}: home Region: the pipeline runs in eu-south-1" in capsys.readouterr().err


def test_the_command_lists_every_fault_and_fails(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(json.dumps(document(TargetOUs="x", OrganizationId="y")))
    assert main([str(file), "--account", "444444444444"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [str(file), "TargetOUs"],
        [str(file), "OrganizationId"],
        [str(file), "TargetHomeAccount"],
    ]


def test_the_command_fails_without_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 1
    assert "none.json: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("account", ["", "None", "22222222222"])
def test_the_command_refuses_what_is_not_an_account_id(
    file: Path, account: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(file), "--account", account])
    assert "is not an account ID of 12 digits" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [[], {}, {"Parameters": {}}, {"Parameters": {"TargetRegions": 1}}])
def test_target_regions_of_a_file_without_them_are_an_error(wrong: object) -> None:
    with pytest.raises(TargetsError, match="TargetRegions"):
        target_regions(wrong)


# Generated files, as Python's json returns them to the command.
REGIONS = st.sampled_from(sorted(region for region, partition in partitions().items() if partition == "aws"))
ACCOUNTS = st.text("0123456789", min_size=12, max_size=12).filter(lambda text: text not in EXAMPLES.values())
UNIT_TAILS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(list(VALID)), inner)
    ),
    max_leaves=10,
)


def joined(items: list[str], spaces: int) -> str:
    return ("," + " " * spaces).join(items)


@st.composite
def valid_parameters(draw: st.DrawFn) -> dict[str, str]:
    home, management, central = draw(st.lists(ACCOUNTS, min_size=3, max_size=3, unique=True))
    spaces = draw(st.integers(0, 3))
    return {
        "TargetHomeAccount": home,
        "TargetRegions": joined(draw(st.lists(REGIONS, min_size=1, unique=True)), spaces),
        "TargetGlobalRegion": draw(REGIONS),
        "TargetOUs": joined(
            [f"ou-root-{tail}" for tail in draw(st.lists(UNIT_TAILS, min_size=1, unique=True))], spaces
        ),
        "CentralBackupVaultArn": f"arn:aws:backup:{draw(REGIONS)}:{central}:backup-vault:Vault",
        "OrgManagementAccount": management,
        "OrganizationId": f"o-{draw(UNIT_TAILS)}00",
    }


@given(valid_parameters())
def test_every_valid_file_passes(parameters: dict[str, str]) -> None:
    assert check({"Parameters": parameters}, account=parameters["TargetHomeAccount"]) == []


@given(valid_parameters(), st.sampled_from(list(VALID)), st.text(), st.text())
def test_a_character_that_no_form_allows_is_a_fault_of_that_key(
    parameters: dict[str, str], key: str, before: str, after: str
) -> None:
    faults = check({"Parameters": parameters | {key: f"{before}!{after}"}})
    assert faults
    assert all(key in fault for fault in faults)


@given(valid_parameters(), st.sampled_from(["TargetRegions", "TargetOUs"]), st.data())
def test_a_repeated_item_is_a_fault(parameters: dict[str, str], key: str, data: st.DataObject) -> None:
    items = split(parameters[key])
    again = data.draw(st.sampled_from(items))
    fault = only_fault(check({"Parameters": parameters | {key: ",".join([*items, again])}}))
    assert f'{key}: holds "{again}" 2 times' in fault


@given(JSON)
def test_the_check_accepts_or_refuses_any_json(anything: object) -> None:
    for wrong in (anything, {"Parameters": anything}, {"Parameters": VALID, "Tags": anything}):
        for fault in check(json.loads(json.dumps(wrong)), account="222222222222"):
            assert fault.isascii()
            assert "\n" not in fault


@given(st.binary(max_size=60))
def test_reading_accepts_or_refuses_any_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.json"
    path.write_bytes(raw)
    try:
        read(path)
    except TargetsError as error:
        assert str(path) in str(error)  # noqa: PT017 - bytes may be valid JSON
