"""Everything that can go wrong in the emulator's own machinery.

EmulatorError              base: the message says what to do next
├── StartError             the server did not come up (openssl missing, port busy, crashed, too slow)
├── UnsupportedEmulator    another ministack than the pinned one, or one without a hook we rely on
└── ControlError           a control operation was refused by the running server
"""


class EmulatorError(Exception):
    """Base of the emulator's errors."""


class StartError(EmulatorError):
    """The server process could not be started or did not become ready."""


class UnsupportedEmulatorError(EmulatorError):
    """The installed ministack is not the one that the extension modules were written against."""


class ControlError(EmulatorError):
    """The running server refused a control operation; the message is the server's own."""
