"""Amounts of CPU, memory and storage."""

from decimal import Decimal

SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
"""Factors, by what Kubernetes writes after a number."""


def amount(text: str | int | float) -> Decimal:
    """A quantity (`100m`, `2Gi`, `1e3`) in its unit: cores, bytes, or pieces."""
    text = str(text)
    number = text.rstrip("".join(set("".join(SUFFIXES))))
    # The suffix E alone is an exa; with digits after it, it is an exponent, and then nothing was stripped.
    return Decimal(number) * SUFFIXES.get(text[len(number) :], Decimal(1))
