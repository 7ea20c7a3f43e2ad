"""Importers: files of other tools, recognised by what is in them, become rows of the lake."""
