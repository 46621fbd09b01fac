"""Answers from readings, pure: bounds, recorded values, summaries, what is missing.

Columns in, columns out; no clock, no I/O. The rules are those of OPC 10000-13
(aggregates) with PI's names for boundaries. Times are int64 us UTC; an interval is
[start, end): its start belongs to it, its end does not.
"""
