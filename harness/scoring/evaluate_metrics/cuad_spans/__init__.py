"""Folder of one metric script; `evaluate` copies only the file with the folder's name."""
