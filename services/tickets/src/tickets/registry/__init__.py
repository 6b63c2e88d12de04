"""Contacts, accounts and leads: made, changed, merged, imported, and connected with the tickets of their senders."""
