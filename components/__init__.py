"""The components a SkillFlaw deployment is composed of: one ComponentResource per file.

Here live components, their frozen argument classes, and what they share: every physical name (`names`), who opens
connections to whom (`connections`), and the pieces of a pod (`pods`, `labels`, `references`, `workloads`).

Never here: a read of config, of the stack's name or of the environment; a secret's value where a
reference will do; a decision about what an environment is (that is `settings`).
"""
