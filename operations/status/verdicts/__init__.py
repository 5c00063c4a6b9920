"""How facts are, by subject, and why."""
