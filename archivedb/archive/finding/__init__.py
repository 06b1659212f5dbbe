"""Questions to an archive, and what is done with the records that they find."""
