"""Drawn faces: photo and sketch of people who do not exist, made from parameters."""
