"""The repository's root, and the folder that builds write to."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD_FOLDER = Path(".build")  # below the root; dotted, so that the published zip never packs it
