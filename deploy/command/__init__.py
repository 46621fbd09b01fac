"""The command `fedbatch`: what a person types.

Only this room prints for people. It composes what others made and refuses to know how
anything is done: a command reads its options, calls one function, and says the result.
"""
