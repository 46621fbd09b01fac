"""The collector: from OPC UA servers to the log, with every loss declared."""
