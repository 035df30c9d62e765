"""Served models: the graph, its export and publishing, calls in this process, and a client of TensorFlow Serving."""
