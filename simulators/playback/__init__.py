"""Playback: recorded data served over OPC UA, row by row, with the record of truth."""
