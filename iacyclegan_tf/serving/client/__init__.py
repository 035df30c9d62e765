"""Asking a TensorFlow Serving server over its REST API."""
