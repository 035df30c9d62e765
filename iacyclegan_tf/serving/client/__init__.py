"""Asking a TensorFlow Serving server, over REST or gRPC."""
