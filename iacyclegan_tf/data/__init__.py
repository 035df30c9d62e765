"""Image files, pairs of photo and sketch, drawn faces and the streams that feed training."""
