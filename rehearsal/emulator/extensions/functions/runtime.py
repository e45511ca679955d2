"""Lambda's Python runtime: log records of every level reach CloudWatch Logs, missing handlers are named.

AWS's Python runtime logs through the root logger; ministack shows only what is written to standard error, and
for a handler that is not in the package it returns Python's own words and logs nothing ("Troubleshoot
invocation issues in Lambda" has AWS's). S3 Control is called at https://<account ID>.<endpoint>, which no SDK
setting turns off: inside functions every name below 127.0.0.1 resolves to 127.0.0.1, and the certificate
holds it.

Not emulated: a function runs on this machine's Python and processor regardless of its runtime and
architecture, finds this machine's installed packages in addition to its own, and has all the memory.
"""

from typing import Any, Final

from rehearsal.emulator import hooks
from rehearsal.emulator.errors import UnsupportedEmulatorError

# Runs before the function's module is imported.
_PREPARATION: Final = """
import logging, socket, sys
_handler = logging.StreamHandler(sys.stderr)
_handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
logging.getLogger().addHandler(_handler)
_getaddrinfo = socket.getaddrinfo
def _resolve(host, *arguments, **options):
    if isinstance(host, str) and host.endswith(".127.0.0.1"):
        host = "127.0.0.1"
    return _getaddrinfo(host, *arguments, **options)
socket.getaddrinfo = _resolve
"""
# Text of ministack's worker script → what replaces it.
_REPLACEMENTS: Final = {
    # Recursive loop detection, which nothing here needs: it imports botocore, 0.3 s of each cold start.
    "    _ms_install_invoke_depth()\n": "",
    # An execution environment outlives an exception of its handler; ministack ends one that returns an error.
    '{"status": "error", "error": str(e), "trace"': (
        '{"status": "ok", "raised": True, "error": str(e), "trace"'
    ),
}


def prepared(script: str) -> str:
    """The worker script that runs here. Raises UnsupportedEmulatorError unless each text is found once."""
    for old, new in _REPLACEMENTS.items():
        if (count := script.count(old)) != 1:
            raise UnsupportedEmulatorError(
                f"ministack's Lambda worker script has {old.strip()!r} {count} times instead of once"
            )
        script = script.replace(old, new)
    return _PREPARATION + script


def install() -> None:
    hooks.lambda_runtime._PYTHON_WORKER_SCRIPT = prepared(hooks.lambda_runtime._PYTHON_WORKER_SCRIPT)
    invoke = hooks.lambda_runtime.Worker.invoke

    def invoke_named(worker: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
        try:
            result: dict[str, Any] = invoke(worker, *arguments, **more)
        except RuntimeError as failure:
            reason = _why_not_loaded(worker.config["Handler"], str(failure))
            return {"status": "error", "error": reason, "trace": f"[ERROR] {reason}"}
        if result.pop("raised", False):
            result["status"] = "error"
        return result

    hooks.lambda_runtime.Worker.invoke = invoke_named


def _why_not_loaded(handler: str, failure: str) -> str:
    """AWS's error for a handler that cannot be loaded, given ministack's."""
    module, _, function = handler.rpartition(".")
    reason = failure.removeprefix("Worker init failed: ")
    if reason.endswith(f"has no attribute '{function}'"):
        return f"Runtime.HandlerNotFound: Handler '{function}' missing on module '{module}'"
    return f"Runtime.ImportModuleError: Unable to import module '{module}': {reason}"
