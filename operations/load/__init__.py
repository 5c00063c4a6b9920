"""How much a stack carries: load that is raised in steps, what it took, and what the stack file may ask for by that."""
