"""Everything that has S3 operations: the interface and its implementations."""
