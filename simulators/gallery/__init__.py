"""Pictures of the simulated process and of every fault: docs/gallery."""
