"""Where a face lies in an image, and the crop of 200x250 with the eyes in place."""
