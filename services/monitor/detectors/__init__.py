"""Detectors: one algorithm a file, each watching all its checks of a vessel at once.

Pure: no clock, no I/O. A detector sees one reading of each tag at a time, as arrays
over the vessel's tags, and answers with the edges of its conditions.
"""
