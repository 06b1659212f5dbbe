"""What comes from elsewhere: of other archives, of directories, of the spool."""
