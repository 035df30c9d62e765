"""Folders of people with several photos each."""
