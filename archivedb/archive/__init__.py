"""The archive: the one place where catalog and payload store meet."""

from archivedb.archive.archive import Archive
from archivedb.archive.finding.recordset import RecordSet
from archivedb.archive.folder import Folder
from archivedb.archive.plain import load, save

__all__ = ["Archive", "Folder", "RecordSet", "load", "save"]
