"""The tables of OAuth 2.0. Each service makes them in its own database, beside that of the tokens' holders, by its own migrations."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, DateTime, ForeignKey, MetaData, String, Table, Text, func


@dataclass(frozen=True)
class OAuthTables:
    """`holder` is what a holder is called: `scanner`, `sender`. Its id is the column `<holder>_id` of both tables."""

    holder: str
    tokens: Table
    sign_ins: Table

    @property
    def column(self) -> str:
        return f"{self.holder}_id"


def oauth_tables(metadata: MetaData, holder: str, holders: Table) -> OAuthTables:
    """Declare `oauth` and `sign_ins` in the service's metadata; rows go with their holder."""
    return OAuthTables(holder, _tokens(metadata, holder, holders), _sign_ins(metadata, holder, holders))


def _tokens(metadata: MetaData, holder: str, holders: Table) -> Table:
    names = ("client_secret", "refresh_token", "access_token")
    sealed = [Column(name, Text, nullable=False, server_default="", comment=f"sealed for place {holder}:<id>:{name}") for name in names]
    return Table(
        "oauth",
        metadata,
        _holder(holder, holders, primary_key=True),
        *sealed,
        Column("expires_at", DateTime(timezone=True), nullable=True),
        Column("renewed_at", DateTime(timezone=True), nullable=True),
        Column("renew_after", DateTime(timezone=True), nullable=True, comment="until then somebody renews, or the provider is left alone"),
        Column("error", Text, nullable=True),
    )


def _sign_ins(metadata: MetaData, holder: str, holders: Table) -> Table:
    return Table(
        "sign_ins",
        metadata,
        Column("state", String(100), primary_key=True, comment="what the provider sends back; used once"),
        _holder(holder, holders, primary_key=False),
        Column("verifier", Text, nullable=False, comment="PKCE (RFC 7636), sealed for place sign_in:<state>"),
        Column("redirect_uri", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    )


def _holder(holder: str, holders: Table, *, primary_key: bool) -> Column[str]:
    key = ForeignKey(holders.c.id, ondelete="CASCADE")
    return Column(f"{holder}_id", holders.c.id.type, key, primary_key=primary_key, nullable=False)
