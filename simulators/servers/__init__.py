"""OPC UA servers that publish the plant; with its tests the only rooms with asyncua."""
