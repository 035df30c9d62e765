"""A gallery as vectors, names and checksums: kept on the disk, and searched exactly."""
