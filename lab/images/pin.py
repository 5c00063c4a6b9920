"""`python -m lab.images.pin` writes the tags that the images have now into the stack file of the lab."""

import re
from pathlib import Path

from lab.images import folders

STACK = Path(__file__).parents[2] / "Pulumi.lab.yaml"
REFERENCE = re.compile(rf"{re.escape(folders.REPOSITORY)}/(\w+):([0-9a-f]{{12}})")


def pinned(text: str) -> dict[str, str]:
    """The lab's images a text names, and the tags it names them by."""
    return dict(REFERENCE.findall(text))


def pin(stack: Path) -> None:
    """Replaces every tag of a lab image in a stack file by the one that the image's folder has now."""
    stack.write_text(REFERENCE.sub(lambda match: folders.reference(match[1]), stack.read_text()))


if __name__ == "__main__":
    pin(STACK)
