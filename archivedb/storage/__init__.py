"""Groups: what stands inside a record, as a mapping."""
