"""Image files: what their header says, decoding within bounds, PNG writing."""
