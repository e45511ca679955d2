"""Every action that writes is denied by the protecting policies, or there is a reason not to deny it.

The actions are those of the service authorization data (service_authorization.py), of each service that the
policies name. An action that AWS adds fails the test until it is denied or entered here. An action may remain
allowed if all resource types that it supports are OTHER than the solution's, or if ALLOWED names it. An entry
that is not needed fails as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from buildspecs.paths import ROOT
from tests.templates.service_authorization import Facts, actions, is_of_form, named

FOLDER = ROOT / "templates" / "service-control-policies"
PROTECTING = ("protect-backup-solution.json", "protect-central-account.json")
WRITING = {"Write", "Permissions management", "Tagging"}
TAGS = "no permission of the solution depends on a tag"
UNUSED = "the solution has none, and adding one does not change what it has"
NO_SUCH_KEY = "KMS refuses it for the solution's keys: symmetric, single-Region, with KMS key material"
KEY_POLICY = "use of the key, which the key policy limits"
PURPOSE = "it is what the solution is for"
ORGANIZATION_ONLY = "AWS accepts it only from the management account or a delegated administrator"
OWN_ACCOUNT = "it concerns the account's own plans, reports and tests, not the organization's"

# service → resource part of an ARN format, placeholders as * → why no such resource matters
OTHER: Mapping[str, Mapping[str, str]] = {
    "account": {},
    "backup": {
        "backup-plan:*": "the organization's plans cannot be changed in a member account",
        "framework:*-*": OWN_ACCOUNT,
        "legal-hold:*": "a legal hold belongs to the account and only keeps recovery points longer",
        "report-plan:*-*": OWN_ACCOUNT,
        "restore-testing-plan:*-*": OWN_ACCOUNT,
        "tiering-configuration:*-*": "a cheaper tier of storage keeps the recovery points",
    },
    "cloudformation": {
        "stackset/*:*": "the StackSets are in other accounts; one created here has roles that are denied",
        "stackset-target/*": "the same",
        "type/resource/*": "the same",
    },
    "events": {
        "alias/*": "only the rules matter",
        "api-destination/*": "only the rules matter",
        "archive/*": "only the rules matter",
        "connection/*": "only the rules matter",
        "endpoint/*": "only the rules matter",
        "event-bus/*": "the default bus cannot be deleted, and no backup or copy waits for an event",
        "event-source/*": "only the rules matter",
        "key/*": "only the rules matter",
        "replay/*": "only the rules matter",
    },
    "iam": {
        "delegation-request/*": "only roles matter",
        "group/*": "groups and users can get only permissions that these policies deny",
        "instance-profile/*": "the solution's roles are not trusted by EC2",
        "mfa/*": "user sign-in",
        "oidc-provider/*": "user sign-in; no role of the solution trusts a provider",
        "policy/*": "no role of the solution has a customer managed policy",
        "saml-provider/*": "user sign-in; no role of the solution trusts a provider",
        "server-certificate/*": "only roles matter",
        "sms-mfa/*": "user sign-in",
        "user/*": "groups and users can get only permissions that these policies deny",
    },
    "kms": {},
    "lambda": {
        "capacity-provider:*": UNUSED,
        "code-signing-config:*": UNUSED,
        "event-source-mapping:*": "invoking the function is allowed, so its events may have any source",
        "function:*:*/durable-execution/*/*": "the function is not durable",
        "layer:*": UNUSED,
        "layer:*:*": UNUSED,
    },
    "organizations": {
        "account/o-*/*": ORGANIZATION_ONLY,
        "ou/o-*/ou-*": ORGANIZATION_ONLY,
        "policy/o-*/*/p-*": ORGANIZATION_ONLY,
        "resourcepolicy/o-*/rp-*": ORGANIZATION_ONLY,
        "root/o-*/r-*": ORGANIZATION_ONLY,
        "transfer/o-*/*/*/rt-*": ORGANIZATION_ONLY,
    },
}
# service → why → actions
ALLOWED: Mapping[str, Mapping[str, str]] = {
    "account": {
        "contact data and names do not matter": (
            "DeleteAlternateContact PutAccountName PutAlternateContact PutContactInformation"
        ),
        ORGANIZATION_ONLY: "AcceptPrimaryEmailUpdate StartPrimaryEmailUpdate",
        "another Region removes nothing": "EnableRegion",
    },
    "backup": {
        PURPOSE: "CopyFromBackupVault CopyIntoBackupVault StartBackupJob StartCopyJob StartRestoreJob",
        "a recovery point's ARN does not name its vault; the vault's access policy denies it": (
            "DeleteRecoveryPoint DisassociateRecoveryPoint UpdateRecoveryPointLifecycle"
        ),
        "the recovery point stays, outside its composite one": "DisassociateRecoveryPointFromParent",
        "reading, indexing or scanning a recovery point changes nothing in it": (
            "CreateBackupAccessPoint DeleteBackupAccessPoint ListIndexedRecoveryPointsForSearch"
            " SearchRecoveryPoint StartScanJob UpdateRecoveryPointIndexSettings"
        ),
        "logically air-gapped vaults only": (
            "AssociateBackupVaultMpaApprovalTeam CreateRestoreAccessBackupVault"
            " DisassociateBackupVaultMpaApprovalTeam RevokeRestoreAccessBackupVault"
        ),
        "the solution does not use a vault's own notifications": (
            "DeleteBackupVaultNotifications PutBackupVaultNotifications"
        ),
        "no resource distinguishes the organization's jobs; recovery points stay": "StopBackupJob",
        "the management account's opt-in applies to the organization's plans; recovery points stay": (
            "UpdateRegionSettings"
        ),
        "AWS accepts it only from the management account": "UpdateGlobalSettings",
        OWN_ACCOUNT: "PutRestoreValidationResult",
        TAGS: "TagResource UntagResource",
    },
    "cloudformation": {
        "a new stack changes no existing stack; CloudFormation calls the services for its caller": (
            "CreateStack CreateResource DeleteResource UpdateResource CancelResourceRequest"
        ),
        "templates, scans and uploads change no stack": (
            "CreateGeneratedTemplate CreateUploadBucket DeleteGeneratedTemplate StartResourceScan"
            " UpdateGeneratedTemplate"
        ),
        "a hook may stop a rollout, which the StackSet reports; it removes nothing": (
            "ActivateType DeactivateType DeregisterType PublishType RegisterPublisher RegisterType"
            " SetTypeConfiguration SetTypeDefaultVersion TestType"
        ),
        "a StackSet of the account acts with roles to which these policies apply": "CreateStackSet",
        ORGANIZATION_ONLY: "ActivateOrganizationsAccess DeactivateOrganizationsAccess",
        "no resource of the solution waits for a signal": "RecordHandlerProgress SignalResource",
        TAGS: "TagResource UntagResource",
    },
    "events": {
        "an enabled rule does no harm: the function is idempotent": "EnableRule",
        "it is about event buses; the rules are on the default one, which accepts no foreign events": (
            "PutPermission RemovePermission PutPartnerEvents"
        ),
        TAGS: "TagResource UntagResource",
    },
    "iam": {
        PURPOSE: "PassRole",
        "AWS creates the role, with its own policy and trust": "CreateServiceLinkedRole",
        TAGS: "TagRole UntagRole",
        "names, sign-in and tokens of the account; no role of the solution depends on them": (
            "CreateAccountAlias DeleteAccountAlias DeleteAccountPasswordPolicy DeleteCloudFrontPublicKey"
            " DisableOutboundWebIdentityFederation EnableOutboundWebIdentityFederation"
            " SetSTSRegionalEndpointStatus SetSecurityTokenServicePreferences UpdateAccountEmailAddress"
            " UpdateAccountName UpdateAccountPasswordPolicy UpdateCloudFrontPublicKey"
            " UploadCloudFrontPublicKey"
        ),
        ORGANIZATION_ONLY: (
            "DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions"
            " EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions"
        ),
    },
    "kms": {
        KEY_POLICY: (
            "CreateGrant Decrypt Encrypt GenerateDataKey GenerateDataKeyPair"
            " GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
            " RetireGrant"
        ),
        "it keeps the key in use": "CancelKeyDeletion EnableKey EnableKeyRotation RotateKeyOnDemand",
        NO_SUCH_KEY: (
            "DeleteImportedKeyMaterial DeriveSharedSecret GenerateMac ImportKeyMaterial ReplicateKey Sign"
            " SynchronizeMultiRegionKey UpdatePrimaryRegion Verify VerifyMac"
        ),
        "the key itself does not change": "UpdateKeyDescription",
        "it concerns other keys and key stores": (
            "ConnectCustomKeyStore CreateCustomKeyStore CreateKey DeleteCustomKeyStore"
            " DisconnectCustomKeyStore GenerateRandom UpdateCustomKeyStore"
        ),
        TAGS: "TagResource UntagResource",
    },
    "lambda": {
        "invoking the function copies tags once more": "InvokeAsync InvokeFunction InvokeFunctionUrl",
        "the rules invoke the function itself, no version or alias of it": (
            "CreateAlias DeleteAlias DeleteProvisionedConcurrencyConfig PublishVersion"
            " PutProvisionedConcurrencyConfig UpdateAlias"
        ),
        UNUSED: "CreateCodeSigningConfig CreateEventSourceMapping DeleteFunctionUrlConfig",
        "Lambda@Edge only": "DisableReplication EnableReplication",
        TAGS: "TagResource UntagResource",
    },
    "organizations": {
        ORGANIZATION_ONLY: (
            "CreateAccount CreateGovCloudAccount CreatePolicy DeleteOrganization DeleteResourcePolicy"
            " DisableAWSServiceAccess EnableAWSServiceAccess EnableAllFeatures"
        ),
        "an account of an organization cannot create another one": "CreateOrganization",
        "an invitation that is not accepted changes nothing": "CancelHandshake DeclineHandshake",
    },
}


def denials(name: str) -> Iterator[tuple[str, list[str]]]:
    """(action, resources) of everything that the document denies, under any condition."""
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    for statement in document["Statement"]:
        for action in _list(statement["Action"]):
            yield action, _list(statement["Resource"])


def denied(name: str) -> set[str]:
    return {action for action, _ in denials(name)}


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def form(arn: str) -> str:
    """The resource part of an ARN format, placeholders as *."""
    return re.sub(r"\$\{\w+\}", "*", arn.split(":", 5)[5])


def undecided(service: str, facts: Mapping[str, Facts], denies: set[str]) -> list[str]:
    """Writing actions that are neither denied nor allowed, and those that are both or unknown."""
    allowed = [action for words in ALLOWED[service].values() for action in words.split()]
    elsewhere = {
        action
        for action, one in facts.items()
        if one.resources and {form(arn) for arn in one.resources} <= set(OTHER[service])
    }
    writing = {action for action, one in facts.items() if one.access_level in WRITING}
    bare = {action.partition(":")[2] for action in denies if action.startswith(f"{service}:")}
    return [
        *(
            f"{service}:{one} is neither denied nor allowed"
            for one in sorted(writing - bare - {*allowed} - elsewhere)
        ),
        *(f"{service}:{one} is denied, but does not write" for one in sorted(bare - writing)),
        *(
            f"{service}:{one} is in ALLOWED but not needed"
            for one in sorted({*allowed} - writing | {*allowed} & bare)
        ),
        *(
            f"{service}:{one} is in ALLOWED, and its resources are in OTHER"
            for one in sorted({*allowed} & elsewhere)
        ),
        *(f"{service}:{one} is in ALLOWED twice" for one in sorted({*allowed}) if allowed.count(one) > 1),
    ]


def services(name: str) -> set[str]:
    return {action.partition(":")[0] for action in denied(name)}


@pytest.mark.parametrize("name", PROTECTING)
def test_every_action_that_writes_is_denied_or_allowed_for_a_reason(name: str) -> None:
    assert [
        fault for one in sorted(services(name)) for fault in undecided(one, actions(one), denied(name))
    ] == []


@pytest.mark.parametrize("name", PROTECTING)
def test_every_denial_is_on_a_resource_that_its_action_supports(name: str) -> None:
    """On any other resource it would never apply."""
    idle = [
        f"{action} on {pattern}"
        for action, patterns in denials(name)
        for pattern in patterns
        if pattern != "*" and not any(is_of_form(pattern, arn) for arn in named(action)[action].resources)
    ]
    # AddPermission supports a qualifier, which the reference does not list; is_of_form has no role paths.
    further = (
        ":function:TagOnRestore:*",
        ":role/aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup",
    )
    assert [one for one in idle if not one.endswith(further)] == []


def test_both_policies_deny_the_same_actions_of_each_service_that_both_name() -> None:
    members, central = map(denied, PROTECTING)
    assert services(PROTECTING[0]) == set(ALLOWED)
    assert services(PROTECTING[1]) == set(ALLOWED) - {"events", "lambda"}
    assert {action for action in members if not action.startswith(("events:", "lambda:"))} == central


@pytest.mark.parametrize("service", OTHER)
def test_every_other_resource_type_exists(service: str) -> None:
    assert set(OTHER[service]) <= {form(arn) for one in actions(service).values() for arn in one.resources}


VAULT = "arn:${Partition}:backup:${Region}:${Account}:backup-vault:${BackupVaultName}"


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        (Facts("Write", (VAULT,)), "backup:EmptyVault is neither denied nor allowed"),
        (Facts("Permissions management", ()), "backup:EmptyVault is neither denied nor allowed"),
        # one of its resources belongs to the solution
        (
            Facts("Write", (VAULT, VAULT.replace("backup-vault:", "legal-hold:"))),
            "backup:EmptyVault is neither denied nor allowed",
        ),
        (Facts("Write", (VAULT.replace("backup-vault:", "legal-hold:"),)), None),
        (Facts("Read", (VAULT,)), None),
    ],
)
def test_a_new_action_must_be_denied_or_allowed(facts: Facts, fault: str | None) -> None:
    found = undecided("backup", {**actions("backup"), "EmptyVault": facts}, denied(PROTECTING[0]))
    assert found == ([fault] if fault else [])


def test_an_entry_that_is_not_needed_is_reported() -> None:
    without = {name: one for name, one in actions("events").items() if name != "EnableRule"}
    assert undecided("events", without, set())[-1] == "events:EnableRule is in ALLOWED but not needed"
