"""SkillFlaw's contract in front of its upstream: the names SkillFlaw documents, the code of Langflow.

Every `SKILLFLAW_X` becomes `LANGFLOW_X`. Names the upstream does not know (CONFIG_MODEL, SKILL_SANDBOX_*)
are carried over too: its settings ignore them. SECRET_KEY_FILE has no twin, so the file is read here.
"""

import os
from pathlib import Path

PREFIX = "SKILLFLAW_"

for name, value in list(os.environ.items()):
    if name.startswith(PREFIX):
        os.environ["LANGFLOW_" + name.removeprefix(PREFIX)] = value

# SkillFlaw prefers the file to the variable when both are given
if secret_key_file := os.environ.get("SKILLFLAW_SECRET_KEY_FILE"):
    os.environ["LANGFLOW_SECRET_KEY"] = Path(secret_key_file).read_text().strip()

from langflow.main import create_app  # noqa: E402 - the upstream reads its environment while it is imported

__all__ = ["create_app"]
