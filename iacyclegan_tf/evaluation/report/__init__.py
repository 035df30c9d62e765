"""A run's evaluation for people to read: tables, figures, faces, one HTML page, TensorBoard."""
