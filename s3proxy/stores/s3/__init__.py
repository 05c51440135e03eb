"""An object store that is any S3: Amazon's, Ceph's, MinIO's, another node of this gateway."""
