"""Telling what sort of mail it is (`tell`), with a table of marks to which a new vendor adds one line."""
