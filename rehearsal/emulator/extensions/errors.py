"""What an emulated AWS API answers when it refuses."""


class ApiError(Exception):
    """An error that an AWS API answers: code and message as AWS words them, and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
