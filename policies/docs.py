"""The policies, for people: `python -m policies.docs > docs/policies.md`."""

from policies.catalogue import POLICIES

HEAD = """\
# Policies

Made from `policies/` by `python -m policies.docs`; a test keeps it fresh.

```sh
pulumi preview --stack prod --policy-pack policies     # or `pulumi up`
```

A violation is reported with its resource and its remedy. Under `protection.enabled` it is an error: a preview fails, and an
update touches no resource that breaks a policy; only `shared-claim` needs the whole stack and speaks at the end. Without
protection it is advice. Policies read the stack's own config for that, and for the hosts and registries they hold resources
to; there is nothing else to configure. A section that they cannot read counts as absent, and an absent one as protected.

The program itself cannot break them: unit tests run the same functions over everything it declares for the committed
stacks, and break each one once. They are for what comes later: a new component, a changed one, a stack file.
The pack runs in the program's own environment, `.venv`; one that `make environment` did not make needs
`.venv/bin/pip install --requirement policies/requirements.txt` once.
"""


def page() -> str:
    """A Markdown page with a section per policy."""
    return HEAD + "".join(
        f"\n## {policy.name}\n\n{policy.what}\n\n- Why: {policy.why}\n- Remedy: {policy.remedy}\n"
        for policy in POLICIES
    )


if __name__ == "__main__":
    print(page(), end="")
