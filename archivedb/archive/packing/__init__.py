"""Selections that leave an archive, and come into another: directories and zips."""
