"""The faults themselves, a file for each thing that they are put on."""
