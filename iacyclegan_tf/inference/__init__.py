"""Trained runs in use: translation of images, embeddings, collections."""
