"""The parts a SkillFlaw deployment is composed of: one ComponentResource per file.

Here live components, their frozen argument classes, and the few words they share (`component`,
`labels`, `pods`, `references`).

Never here: a read of config, of the stack's name or of the environment; a secret's value where a
reference will do; a decision about what an environment is (that is `settings`).
"""
