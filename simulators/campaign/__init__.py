"""Campaigns of simulated batches as data sets: readings, truth, records, pictures.

As fast as possible and without OPC UA. `plan` and `mix` say what will be simulated,
`lockstep` simulates some vessels together, `laboratory`, `changes` and `record` make
the batch record, `files` writes, `produce` spreads the work over processes.
docs/datasets.md has the format.
"""
