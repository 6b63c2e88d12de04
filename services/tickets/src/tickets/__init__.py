"""Carries commands out, once each: tickets, messages, contacts, the spam list."""
