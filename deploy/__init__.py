"""How fedbatch is started: the command, the embedded default, files for a plant."""
