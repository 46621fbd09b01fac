"""The simulated plant: processes, instruments, recipes, and OPC UA servers for them.

Imports `shared` only. Everything but `servers`, `truth` and the composing modules is
pure: no clock, no I/O, no logging; time comes in as integers, us UTC.
"""
