"""placeholder"""


def install() -> None:
    return
