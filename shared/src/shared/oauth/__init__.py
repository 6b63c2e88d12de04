"""OAuth 2.0 of mailboxes and SMTP identities: providers, sign-ins by code, tokens renewed ahead of time by one process at a time.

Only for services that have authlib and httpx.
"""
