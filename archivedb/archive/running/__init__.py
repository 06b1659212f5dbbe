"""Runs that are recorded while they happen."""
