"""How the clients of a build retry, and the Region that the build runs in."""

import boto3
from botocore.config import Config

from buildspecs.errors import BuildError

RETRIES = Config(retries={"mode": "standard", "max_attempts": 5})


def home_region(session: boto3.session.Session) -> str:
    """The Region that the build runs in, which is the home Region. Raises BuildError if none is set."""
    if not session.region_name:
        raise BuildError("no Region: set AWS_DEFAULT_REGION to the home Region")
    return session.region_name
