"""Scores the monitor and the published methods on labelled recordings.

Everything here sees rows of numbers: one row a time, one column a tag, NaN where
nothing good was read. `dataset.yaml` says what a folder's files are; see
docs/evaluation.md. Only `reading` and `report` touch files.
"""
