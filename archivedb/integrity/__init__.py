"""Is every byte still what was saved?  `verify` says, `reindex` rebuilds."""
