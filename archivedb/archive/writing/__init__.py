"""Everything that changes an archive, up to its rows in the catalog."""
