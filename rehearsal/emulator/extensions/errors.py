"""What an emulated AWS API returns when it refuses a request."""


class ApiError(Exception):
    """An error of an AWS API: code and message as AWS words them, and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
