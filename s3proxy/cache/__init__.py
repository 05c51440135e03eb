"""The block cache: ranges of immutable object versions in files of a memory tier and a disk tier, shared by workers."""
