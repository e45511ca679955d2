"""CodeCommit: a repository that CloudFormation fills from a zip in S3; ministack does not have the service.

AWS unpacks the zip of AWS::CodeCommit::Repository Code.S3 into one commit on the branch (default main) when
the repository is created and never reads it again.

Emulated: exactly that, GetRepository, ListRepositories,
GetBranch, ListBranches, GetFolder and GetFile on that commit, and the control operation `repository-archive`
(the zip itself).

Not emulated: git, further commits, pull requests, triggers.
"""

import base64
import hashlib
import io
import time
import uuid
import zipfile
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base, objects
from rehearsal.emulator.extensions.errors import ApiError

_repositories: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    base.resource_type("AWS::CodeCommit::Repository", _create, _update, _delete, blocking=True, tags=True)
    base.serve_json("codecommit", "CodeCommit_20150413", _OPERATIONS)
    control.register("repository-archive", _archive)


def _create(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
    name = properties["RepositoryName"]
    if name in _repositories:
        raise ValueError(f"Repository named {name} already exists")
    code = properties.get("Code") or {}
    source = code.get("S3")
    archive = objects.read(source["Bucket"], source["Key"], source.get("ObjectVersion")) if source else b""
    repository: dict[str, Any] = {
        "metadata": {
            "accountId": base.account(),
            "repositoryId": str(uuid.uuid4()),
            "repositoryName": name,
            "repositoryDescription": properties.get("RepositoryDescription", ""),
            "defaultBranch": code.get("BranchName", "main"),
            "lastModifiedDate": time.time(),
            "creationDate": time.time(),
            "cloneUrlHttp": f"https://git-codecommit.{base.region()}.amazonaws.com/v1/repos/{name}",
            "cloneUrlSsh": f"ssh://git-codecommit.{base.region()}.amazonaws.com/v1/repos/{name}",
            "Arn": base.arn("codecommit", name),
        },
        "archive": archive,
        "files": _unpack(name, archive) if source else {},
        "commit": hashlib.sha1(archive, usedforsecurity=False).hexdigest(),
    }
    _repositories[name] = repository
    return repository["metadata"]["repositoryId"], _attributes(repository["metadata"])


def _unpack(name: str, archive: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            return {entry.filename: packed.read(entry) for entry in packed.infolist() if not entry.is_dir()}
    except zipfile.BadZipFile:
        raise ValueError(f"the code of repository {name} is not a zip archive") from None


def _attributes(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "Arn": metadata["Arn"],
        "Name": metadata["repositoryName"],
        "CloneUrlHttp": metadata["cloneUrlHttp"],
        "CloneUrlSsh": metadata["cloneUrlSsh"],
    }


def _update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], _stack: str
) -> tuple[str, dict[str, Any]]:
    repository = _repositories.pop(old["RepositoryName"])
    metadata, name = repository["metadata"], new["RepositoryName"]
    metadata["repositoryDescription"] = new.get("RepositoryDescription", "")
    metadata["repositoryName"], metadata["Arn"] = name, base.arn("codecommit", name)
    for url in ("cloneUrlHttp", "cloneUrlSsh"):
        metadata[url] = f"{metadata[url].rpartition('/')[0]}/{name}"
    _repositories[name] = repository
    return physical_id, _attributes(metadata)


def _delete(_physical_id: str, properties: dict[str, Any]) -> None:
    _repositories.pop(properties["RepositoryName"], None)


def _archive(account: str, region: str, repository: str) -> str:
    with base.scope(account, region):
        return base64.b64encode(_repository(repository)["archive"]).decode()


def _repository(name: str) -> dict[str, Any]:
    repository: dict[str, Any] | None = _repositories.get(name)
    if repository is None:
        raise ApiError("RepositoryDoesNotExistException", f"{name} does not exist")
    return repository


def _branch(repository: dict[str, Any], name: str | None) -> str:
    default = str(repository["metadata"]["defaultBranch"])
    if name not in (None, default, f"refs/heads/{default}", repository["commit"]):
        raise ApiError(
            "CommitDoesNotExistException", f"there is no branch or commit {name}; the branch is {default}"
        )
    return default


def _get_branch(request: dict[str, Any]) -> dict[str, Any]:
    repository = _repository(request["repositoryName"])
    if request["branchName"] != repository["metadata"]["defaultBranch"]:
        raise ApiError("BranchDoesNotExistException", f"The branch {request['branchName']} does not exist")
    return {"branch": {"branchName": request["branchName"], "commitId": repository["commit"]}}


def _get_folder(request: dict[str, Any]) -> dict[str, Any]:
    repository = _repository(request["repositoryName"])
    _branch(repository, request.get("commitSpecifier"))
    folder = request["folderPath"].strip("/")
    prefix = f"{folder}/" if folder else ""
    below = [path.removeprefix(prefix) for path in repository["files"] if path.startswith(prefix)]
    if not below:
        raise ApiError("FolderDoesNotExistException", f"there is no folder {request['folderPath']}")
    folders = sorted({path.partition("/")[0] for path in below if "/" in path})
    files = sorted(path for path in below if "/" not in path)
    return {
        "commitId": repository["commit"],
        "folderPath": folder,
        "subFolders": [{"absolutePath": prefix + name, "relativePath": name} for name in folders],
        "files": [
            {"absolutePath": prefix + name, "relativePath": name, "fileMode": "NORMAL"} for name in files
        ],
    }


def _get_file(request: dict[str, Any]) -> dict[str, Any]:
    repository = _repository(request["repositoryName"])
    _branch(repository, request.get("commitSpecifier"))
    content = repository["files"].get(request["filePath"].strip("/"))
    if content is None:
        raise ApiError("FileDoesNotExistException", f"there is no file {request['filePath']}")
    return {
        "commitId": repository["commit"],
        "blobId": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "filePath": request["filePath"],
        "fileMode": "NORMAL",
        "fileSize": len(content),
        "fileContent": base64.b64encode(content).decode(),
    }


_OPERATIONS: dict[str, base.Operation] = {
    "GetBranch": _get_branch,
    "GetFile": _get_file,
    "GetFolder": _get_folder,
    "GetRepository": lambda request: {
        "repositoryMetadata": _repository(request["repositoryName"])["metadata"]
    },
    "ListBranches": lambda request: {
        "branches": [_repository(request["repositoryName"])["metadata"]["defaultBranch"]]
    },
    "ListRepositories": lambda _: {
        "repositories": [
            {key: found["metadata"][key] for key in ("repositoryId", "repositoryName")}
            for found in _repositories.values()
        ]
    },
}
