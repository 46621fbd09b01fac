"""The list of alarms in a terminal: what the API says, a selection, and one key to act.

What is shown and what a key does is pure; `screen` alone has a terminal and a clock.
"""
