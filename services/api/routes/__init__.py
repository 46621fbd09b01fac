"""The paths of the API, one file per kind of question."""
