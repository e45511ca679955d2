"""AWS Backup's requests: those that are emulated here, all others are ministack's."""

import json
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.backup import recovery_points, restore_jobs, settings, vaults
from rehearsal.emulator.extensions.base import Handler, Request, Response
from rehearsal.emulator.extensions.errors import ApiError

_PAGE = 100


def install() -> None:
    base.wrap_requests(hooks.backup, _respond)


async def _respond(request: Request, own: Handler) -> Response:
    try:
        found = _route(request)
    except ApiError as error:
        headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
        return error.status, headers, json.dumps({"__type": error.code, "Message": error.message}).encode()
    if found is None:
        return await own(request)
    return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()


def _route(request: Request) -> dict[str, Any] | None:
    for routes in (_vaults, _recovery_points, _restore_jobs, _tags, _settings):
        if (found := routes(request)) is not None:
            return found
    return None


def _vaults(request: Request) -> dict[str, Any] | None:
    match request.method, *request.parts:
        case "PUT", "backup-vaults", vault, "access-policy":
            return vaults.put_policy(vault, request.json.get("Policy"))
        case "GET", "backup-vaults", vault, "access-policy":
            return vaults.get_policy(vault)
        case "DELETE", "backup-vaults", vault, "access-policy":
            return vaults.put_policy(vault, None)
        case "DELETE", "backup-vaults", vault:
            vaults.refuse_filled(vault)
    return None


def _recovery_points(request: Request) -> dict[str, Any] | None:
    match request.method, *request.parts:
        case "GET", "backup-vaults", vault, "recovery-points":
            vaults.find(vault)
            return _page(request, recovery_points.inside(vault), "RecoveryPoints")
        case "GET", "backup-vaults", vault, "recovery-points", *arn, "restore-metadata":
            vaults.find(vault)
            point = recovery_points.find_inside(vault, "/".join(arn))
            shown = {key: point[key] for key in ("BackupVaultArn", "RecoveryPointArn", "ResourceType")}
            return {**shown, "RestoreMetadata": point["_content"]}
        case "GET", "backup-vaults", vault, "recovery-points", *arn:
            vaults.find(vault)
            return recovery_points.public(recovery_points.find_inside(vault, "/".join(arn)))
        case "DELETE", "backup-vaults", vault, "recovery-points", *arn:
            vaults.find(vault)
            return recovery_points.delete(vault, "/".join(arn))
    return None


def _restore_jobs(request: Request) -> dict[str, Any] | None:
    match request.method, *request.parts:
        case "PUT", "restore-jobs":
            return {"RestoreJobId": restore_jobs.start(request.json)}
        case "GET", "restore-jobs":
            return _page(request, restore_jobs.matching(request), "RestoreJobs")
        case "GET", "restore-jobs", identifier:
            return recovery_points.public(restore_jobs.find(identifier))
        case "GET", "restore-jobs", identifier, "metadata":
            return {"RestoreJobId": identifier, "Metadata": restore_jobs.find(identifier)["_metadata"]}
    return None


def _tags(request: Request) -> dict[str, Any] | None:
    match request.method, *request.parts:
        case method, "tags" | "untag", *parts if recovery_points.has_tags(arn := "/".join(parts)):
            if method == "GET":
                return {"Tags": dict(recovery_points.find(arn)["_tags"])}
            added, removed = request.json.get("Tags") or {}, request.json.get("TagKeyList") or []
            return recovery_points.change_tags(arn, added, removed)
    return None


def _settings(request: Request) -> dict[str, Any] | None:
    match request.method, *request.parts:
        case "PUT", "global-settings":
            return settings.put_global(request.json.get("GlobalSettings") or {})
        case "GET", "global-settings":
            return settings.get_global()
        case "PUT", "account-settings":
            return settings.put_for_region(request.json)
        case "GET", "account-settings":
            return settings.get_for_region()
    return None


def _page(request: Request, records: list[dict[str, Any]], key: str) -> dict[str, Any]:
    entries = [recovery_points.public(record) for record in records]
    token, most = request.parameter("nextToken"), request.parameter("maxResults")
    shown, following = base.page(entries, token, most, _PAGE)
    return {key: shown} if following is None else {key: shown, "NextToken": following}
