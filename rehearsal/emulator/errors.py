"""Everything that can go wrong in the emulator's own machinery.

EmulatorError              base: the message says what to do next
├── StartError                the server did not come up (port in use, crashed, too slow)
├── UnsupportedEmulatorError  a ministack other than the pinned one
└── ControlError              the running server refused a control operation
"""


class EmulatorError(Exception):
    """Base of the emulator's errors."""


class StartError(EmulatorError):
    """The server process could not be started or did not become ready."""


class UnsupportedEmulatorError(EmulatorError):
    """The installed ministack is not the one that the extensions were written for."""


class ControlError(EmulatorError):
    """The running server refused a control operation; the message is the server's own."""
