"""What all bodies share: the base, pages, jobs, problems."""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

NAME_LENGTH: Final = 200
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
HostName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")]
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class ApiModel(BaseModel):
    """Base of requests and responses: an unknown field in a request is an error that names it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Problem(BaseModel):
    """RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the following one, null on the last."""

    items: list[T]
    next: str | None = None


class Job(ApiModel):
    """Long work: polled at `/api/v1/jobs/{id}`."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = None
