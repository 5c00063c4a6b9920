"""SkillFlaw on Kubernetes: the stack file is loaded, what it asks for is deployed, and the outputs are exported."""

import sys

import pulumi

from deployment import deploy
from settings import load
from settings.problems import SettingsError

try:
    loaded = load()
except SettingsError as refusal:
    pulumi.log.error(str(refusal))
    # By this code the language host knows that the user has seen why; after any other it adds an error of its own.
    sys.exit(32)
for name, value in deploy(*loaded).by_name().items():
    pulumi.export(name, value)
