"""A Lambda function's log, from the log group that the function's configuration names."""

from __future__ import annotations

from botocore.exceptions import ClientError

from rehearsal.emulator import Emulator
from rehearsal.place import Place


def of_function(emulator: Emulator, place: Place, function: str) -> list[str]:
    """The lines that a function wrote, oldest first; none if it has not run or does not exist."""
    session = emulator.session(place.account, place.region)
    logs = session.client("logs")
    try:
        configuration = session.client("lambda").get_function_configuration(FunctionName=function)
        group = configuration.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{function}")
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    except ClientError:
        return []
    events = [
        event
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]
    events.sort(key=lambda event: event["timestamp"])
    return [line for event in events for line in event["message"].splitlines()]
