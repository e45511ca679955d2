"""CodeCommit, which ministack lacks: a repository that CloudFormation fills from a zip file in S3.

AWS unpacks the zip file of AWS::CodeCommit::Repository Code.S3 into one commit on the branch (default main)
when the repository is created, and never reads it again. It refuses one that contains an empty file, which is
reported in https://github.com/aws/aws-cdk/issues/19012 and not documented.

Emulated: exactly that; CreateCommit on that branch with its refusals and the event "CodeCommit Repository
State Change"; GetRepository, ListRepositories, GetBranch, ListBranches, GetFolder and GetFile on the branch's
last commit; the control operation `repository-archive` (a zip file of that commit).

Not emulated: git, other branches, earlier commits, pull requests, triggers.
"""

import base64
import hashlib
import io
import json
import time
import uuid
import zipfile
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base, objects
from rehearsal.emulator.extensions.errors import ApiError

_repositories: Any = hooks.responses.AccountRegionScopedDict()
_MOST_FILES = 100  # in one CreateCommit; "Quotas in AWS CodeCommit"
# CodeCommit's file mode → a file's attributes in a zip file (upper half: Unix mode)
_MODES = {"NORMAL": 0o100644 << 16, "EXECUTABLE": 0o100755 << 16}


def install() -> None:
    base.add_resource_type("AWS::CodeCommit::Repository", _create, _update, _delete, blocking=True)
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
        "files": {},
        "modes": {},
        "commit": hashlib.sha1(archive, usedforsecurity=False).hexdigest(),
    }
    if source:
        _unpack(repository, archive)
    _repositories[name] = repository
    return repository["metadata"]["repositoryId"], _attributes(repository["metadata"])


def _unpack(repository: dict[str, Any], archive: bytes) -> None:
    name = repository["metadata"]["repositoryName"]
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    repository["files"][entry.filename] = packed.read(entry)
                    repository["modes"][entry.filename] = entry.external_attr
    except zipfile.BadZipFile:
        raise ValueError(f"the code of repository {name} is not a zip file") from None
    if empty := sorted(path for path, content in repository["files"].items() if not content):
        raise ValueError(f"the code of repository {name} has empty files: {', '.join(empty)}")


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
        found = _repository(repository)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in sorted(found["files"].items()):
            entry = zipfile.ZipInfo(path)
            entry.external_attr, entry.compress_type = found["modes"][path], zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return base64.b64encode(packed.getvalue()).decode()


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


def _create_commit(request: dict[str, Any]) -> dict[str, Any]:
    repository = _repository(request["repositoryName"])
    _get_branch(request)  # the branch must exist
    parent = request.get("parentCommitId")
    if parent is None:
        raise ApiError("ParentCommitIdRequiredException", "the branch has commits: specify the last one")
    if parent != repository["commit"]:
        raise ApiError("ParentCommitIdOutdatedException", f"the last commit is {repository['commit']}")
    put = {each["filePath"]: each for each in request.get("putFiles") or []}
    gone = [each["filePath"] for each in request.get("deleteFiles") or []]
    files = _changed(repository["files"], put, gone)
    modes = {path: mode for path, mode in repository["modes"].items() if path in files}
    modes |= {path: _MODES[each.get("fileMode", "NORMAL")] for path, each in put.items()}
    if (files, modes) == (repository["files"], repository["modes"]):
        raise ApiError("NoChangeException", "the commit would change nothing")
    commit = hashlib.sha1(
        repr((parent, request.get("commitMessage"), sorted(files.items()))).encode(), usedforsecurity=False
    ).hexdigest()
    shown = {
        "filesAdded": [_file(path, files) for path in put if path not in repository["files"]],
        "filesUpdated": [_file(path, files) for path in put if path in repository["files"]],
        "filesDeleted": [{"absolutePath": path, "blobId": "", "fileMode": "NORMAL"} for path in gone],
    }
    repository.update(files=files, modes=modes, commit=commit)
    repository["metadata"]["lastModifiedDate"] = time.time()
    _announce(repository["metadata"], request["branchName"], commit, parent)
    return {"commitId": commit, "treeId": commit, **shown}


def _changed(files: dict[str, bytes], put: dict[str, Any], gone: list[str]) -> dict[str, bytes]:
    """The files after a commit."""
    if not put and not gone:
        raise ApiError("FileEntryRequiredException", "the commit names no file")
    if len(put) + len(gone) > _MOST_FILES:
        raise ApiError("MaximumFileEntriesExceededException", f"at most {_MOST_FILES} files in one commit")
    for path in gone:
        if path not in files:
            raise ApiError("FileDoesNotExistException", f"there is no file {path}")
    kept = {path: content for path, content in files.items() if path not in gone}
    return kept | {path: base64.b64decode(each["fileContent"]) for path, each in put.items()}


def _file(path: str, files: dict[str, bytes]) -> dict[str, str]:
    blob = hashlib.sha1(files[path], usedforsecurity=False).hexdigest()
    return {"absolutePath": path, "blobId": blob, "fileMode": "NORMAL"}


def _announce(metadata: dict[str, Any], branch: str, commit: str, parent: str) -> None:
    """Send the event of a changed branch ("Monitoring CodeCommit events", referenceUpdated)."""
    detail = {
        "event": "referenceUpdated",
        "repositoryName": metadata["repositoryName"],
        "repositoryId": metadata["repositoryId"],
        "referenceType": "branch",
        "referenceName": branch,
        "referenceFullName": f"refs/heads/{branch}",
        "commitId": commit,
        "oldCommitId": parent,
        "callerUserArn": hooks.iam_evaluator.caller_arn(),
    }
    event = {
        "Source": "aws.codecommit",
        "DetailType": "CodeCommit Repository State Change",
        "Resources": [metadata["Arn"]],
        "Detail": json.dumps(detail),
    }
    hooks.eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)


_OPERATIONS: dict[str, base.Operation] = {
    "CreateCommit": _create_commit,
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
