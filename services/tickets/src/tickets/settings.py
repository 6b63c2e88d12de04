"""Settings of tickets: `MAILCONVERTER_TICKETS__*`."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from shared.settings import ServiceSettings

LANGUAGES = (
    "arabic,armenian,basque,catalan,danish,dutch,english,estonian,finnish,french,german,greek,hindi,hungarian,indonesian,irish,italian,"
    "lithuanian,nepali,norwegian,portuguese,romanian,russian,serbian,simple,spanish,swedish,tamil,turkish,yiddish"
)
"""Postgres' own text search configurations; `simple` has no stems."""


class Settings(ServiceSettings):
    """What tickets needs beyond the common settings."""

    sweep_after_seconds: int = Field(default=900, ge=1, description="An answer without any news for so long is told to the notifier again")
    sweep_interval_seconds: float = Field(default=30.0, gt=0, description="How often waiting answers are looked at")
    secret_keys: SecretStr = Field(description="Key ring for webhook secrets, name:base64 of 32 bytes, comma separated; the first encrypts")
    attachment_blocked: str = Field(
        default=(
            "exe,com,scr,pif,bat,cmd,ps1,vbs,vbe,js,jse,wsf,wsh,hta,msi,msp,jar,lnk,cpl,reg,scf,application,gadget,iso,img,vhd,"
            "application/x-msdownload,application/x-msdos-program,application/x-sh"
        ),
        description="Endings of names and media types of attachments that are not handed out, comma separated; empty hands out all",
    )
    attachment_limit_bytes: int = Field(default=50 * 1024 * 1024, ge=1, description="A larger attachment is not handed out")
    search_languages: str = Field(
        default="english,italian",
        pattern=r"^[a-z]+(,[a-z]+)*$",
        description="Languages of the mails, for the search's stems, by Postgres' names, comma separated",
    )
    webhook_private_addresses: bool = Field(default=False, description="Webhooks may go to loopback and private networks")
    webhook_timeout_seconds: float = Field(default=15.0, gt=0, le=60, description="For a webhook's whole answer")
    webhook_log_days: int = Field(default=30, ge=1, description="Days that finished deliveries of webhooks are kept")
    purge_deleted_after_days: int = Field(default=0, ge=0, description="Deleted tickets are removed for good after so many days; 0 never")

    @field_validator("search_languages")
    @classmethod
    def _are_known(cls, value: str) -> str:
        if unknown := set(value.split(",")) - set(LANGUAGES.split(",")):
            message = f"Postgres knows no language {', '.join(sorted(unknown))}; choose from {LANGUAGES}"
            raise ValueError(message)
        return value
