"""What is wrong with a stack file, said so that the next edit can be the last one."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One reason to refuse a stack file. No field ever holds a secret value."""

    path: str
    """Key of the stack file, without the project's prefix: `backend.scale.replicas`."""
    found: str
    """What is there now."""
    allowed: str
    """What could be there."""
    remedy: str
    """What to do."""

    def __str__(self) -> str:
        return (
            f"{self.path}\n    found    {self.found}\n    allowed  {self.allowed}\n    remedy   {self.remedy}"
        )


class SettingsError(pulumi.RunError):
    """All problems of a stack file at once; the CLI prints it without a traceback."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        super().__init__(
            f"the stack file has {count}; nothing was changed\n\n" + "\n".join(map(str, problems))
        )
