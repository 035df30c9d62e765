"""Batches for training as functions of (seed, step), with augmentation."""
