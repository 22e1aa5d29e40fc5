"""What requests may say, and how much of it. Answers have the types of `genrec.types` wherever there is one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, StringConstraints, Tag

from genrec.authoring.samples import WORST
from genrec.prompting import Task
from genrec.server.failures import Problem
from genrec.server.fields import (
    MOST_ROWS,
    Body,
    Categories,
    Changed,
    Count,
    Envelope,
    Id,
    IsNumber,
    Kind,
    Known,
    Moment,
    Number,
    Past,
    Price,
    Rank,
    Sensible,
    Short,
    Text,
    Title,
    parsed,
)
from genrec.types import Usage
from genrec.wording import Language
from retrieval import Context, Event, Filter, Item, User

MOST_REQUESTS = 32
MOST_DOCUMENTS = 200
MOST_FILES = 100
MOST_WITHHELD = 100

Profiling = Annotated[StrictBool, Field(description="false: nothing of the user's history and attributes is used.")]


class AskBody(Body):
    """Whom to recommend to, and what they want here and now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "1001",
                    "n": 3,
                    "context": {"time": "2023-08-05", "place": "Beijing", "device": "PC"},
                    "instruction": "something for my desk",
                    "filter": {"where": {"price": {"high": 200}}},
                }
            ]
        }
    )

    user_id: Id
    n: Count = 5
    context: Moment = Field(default_factory=Context)
    instruction: Short = ""
    filter: Filter = Field(default_factory=Filter)
    language: Language | None = None
    profiling: Profiling = True
    prompt: Id | None = Field(None, description="A label or version of your prompts, not those that answer.")


class RecommendBody(AskBody):
    """A request for one list. `stream` sends it as it grows, as server-sent events."""

    stream: StrictBool = False


class BatchBody(Envelope):
    """Requests for several lists."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"requests": [{"user_id": "1001", "n": 3}, {"user_id": "1002"}]}]}
    )

    requests: Annotated[list[Any], Field(min_length=1, max_length=MOST_REQUESTS)]


class ItemBody(Body):
    """An item; `item_id` stands in the path where there is one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Laptop stand",
                    "description": "Aluminium, three heights",
                    "categories": ["Office"],
                    "price": 39.0,
                    "attributes": {"colour": "silver"},
                }
            ]
        }
    )

    item_id: Id | None = None
    title: Title
    description: Text = ""
    categories: Categories = ()
    price: Price | None = None
    attributes: Known = Field(default_factory=dict)
    image: Short | None = None
    created_at: Sensible | None = None

    def item(self, item_id: str) -> Item:
        """The item of an id. Raises RequestValidationError."""
        return parsed(Item, {**self.model_dump(exclude_unset=True), "item_id": item_id})


class ItemChange(Body):
    """Fields of an item to put in place of its own; null removes one, of attributes too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attributes": {"colour": "black", "weight": None}}]})

    item_id: Id | None = None
    title: Title = Field(default_factory=str)
    description: Text | None = None
    categories: Categories | None = None
    price: Price | None = None
    attributes: Changed | None = None
    image: Short | None = None
    created_at: Sensible | None = None


class UserBody(Body):
    """A user; `user_id` stands in the path where there is one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attributes": {"age": 25, "city": "Beijing"}}]})

    user_id: Id | None = None
    attributes: Known = Field(default_factory=dict)

    def user(self, user_id: str) -> User:
        """The user of an id."""
        return User(user_id=user_id, attributes=self.attributes)


class UserChange(Body):
    """Attributes of a user to put in place of those that they have; null removes one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attributes": {"city": "Delft", "age": None}}]})

    user_id: Id | None = None
    attributes: Changed | None = None


class WithheldBody(Body):
    """Attributes of a user that are kept and not used."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attributes": ["age"]}]})

    attributes: list[Id] = Field(max_length=MOST_WITHHELD)


class ItemsBody(Envelope):
    """Many items, each with its `item_id`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"item_id": "stand-1", "title": "Laptop stand"}]}]}
    )

    items: Annotated[list[Any], Field(min_length=1, max_length=MOST_ROWS)]


class UsersBody(Envelope):
    """Many users, each with its `user_id`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"users": [{"user_id": "1001", "attributes": {"age": 25}}]}]}
    )

    users: Annotated[list[Any], Field(min_length=1, max_length=MOST_ROWS)]


class EventBody(Body):
    """What a user did with an item.

    With an `event_id` of yours it can be sent again without being counted twice. `recommendation_id`: the list that
    showed the item. Without a `timestamp` it happened now.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "1001", "item_id": "stand-1", "type": "purchase", "event_id": "order-77-1"},
                {
                    "user_id": "1001",
                    "item_id": "lamp-2",
                    "type": "rate",
                    "value": 4,
                    "timestamp": "2026-11-01T10:00:00Z",
                },
            ]
        }
    )

    user_id: Id
    item_id: Id
    type: Kind
    timestamp: Past | None = None
    value: Number | None = None
    context: Moment | None = None
    event_id: Id | None = None
    recommendation_id: Id | None = None

    def event(self) -> Event:
        """The event without the list that it belongs to."""
        return Event.model_validate(self.model_dump(exclude={"recommendation_id"}, exclude_none=True))


class EventsBody(Envelope):
    """Many events; each is kept or refused by itself."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"events": [{"user_id": "1001", "item_id": "stand-1", "type": "view"}]}]}
    )

    events: Annotated[list[Any], Field(min_length=1, max_length=MOST_ROWS)]


def _one_or_many(value: Any) -> str:
    return "many" if isinstance(value, EventsBody) or (isinstance(value, dict) and "events" in value) else "one"


OneOrManyEvents = Annotated[
    Annotated[EventBody, Tag("one")] | Annotated[EventsBody, Tag("many")], Discriminator(_one_or_many)
]


class FeedbackBody(Body):
    """What a user thinks of the reason of one item of a list; the last verdict counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"recommendation_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "item_id": "stand-1", "verdict": "helpful"}
            ]
        }
    )

    recommendation_id: Id
    item_id: Id
    verdict: Literal["helpful", "unhelpful", "wrong"]


class ExplainBody(Body):
    """Why an item suits a user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "1001", "item_id": "stand-1"}]})

    user_id: Id
    item_id: Id
    context: Moment = Field(default_factory=Context)
    instruction: Short = ""
    language: Language | None = None


class WhyNotBody(ExplainBody):
    """Why an item is not among a user's first n."""

    n: Count = 5
    filter: Filter = Field(default_factory=Filter)


class InfluencesBody(ExplainBody):
    """What a user's item owes its place to."""

    filter: Filter = Field(default_factory=Filter)
    profiling: Profiling = True


class Document(Body):
    """A document as an object."""

    text: Annotated[Text, StringConstraints(min_length=1)]


class RerankBody(Body):
    """Documents to order by a query, as Cohere and Jina are asked; `model` is taken and not looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "a quiet place to work",
                    "documents": ["A library with desks", {"text": "A bar with live music"}],
                    "top_n": 1,
                    "return_documents": True,
                }
            ]
        }
    )

    model: Short | None = None
    query: Annotated[Short, StringConstraints(min_length=1)]
    documents: Annotated[
        list[Annotated[Text, StringConstraints(min_length=1)] | Document],
        Field(min_length=1, max_length=MOST_DOCUMENTS),
    ]
    top_n: Rank | None = None
    return_documents: StrictBool = False


class Reranked(BaseModel):
    """One document: its place in the request, and how well it suits the query beside the others, from 0 to 1."""

    index: int
    relevance_score: float
    document: Document | None = None


class Reranking(BaseModel):
    """Documents, best first. `fallback` says that the model did not take part, and why."""

    id: str
    model: str
    results: list[Reranked]
    usage: Usage
    fallback: dict[str, str] | None
    warnings: list[str]


class AtBody(Body):
    """A version of prompts: what a label stands at, or the version itself; with `files` as they would be changed.

    `files` are texts by file name, null takes a file away; nothing of them is kept.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"at": "production", "files": {"_system.j2": "You are a shop assistant."}}]}
    )

    at: Id | None = None
    files: dict[Id, Text | None] = Field(default_factory=dict, max_length=MOST_FILES)


class RenderBody(AtBody):
    """What one sample makes of one template."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "rank", "sample": "regular", "language": "zh"}]})

    task: Task = "rank"
    sample: Id = WORST
    language: Language = "en"


class LabelBody(Body):
    """The version that a label is to stand at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "0123456789ab"}]})

    version: Id


class ContestBody(Body):
    """How `production` and `candidate` compete.

    `holdout`: the share of users who always get production. `least`: the share of the others' lists that the version
    which looks worse still gets. `window_hours`: how long after a list something has to be taken.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"holdout": 0.1, "least": 0.05, "window_hours": 24}]})

    holdout: Annotated[float, Field(ge=0, lt=1), IsNumber] = 0.1
    least: Annotated[float, Field(ge=0, le=0.5), IsNumber] = 0.05
    window_hours: Annotated[float, Field(gt=0, le=8760), IsNumber] = 24.0


class Row(BaseModel):
    """What became of one row of a batch: `error` where it was refused."""

    id: str | None = None
    repeated: bool | None = None
    error: Problem | None = None


class Rows(BaseModel):
    """Outcomes in the order of the request."""

    results: list[Row]


class Acknowledged(BaseModel):
    """An event that is on disk."""

    event_id: str


class ItemPage(BaseModel):
    """Items in the order of their ids; `next` goes into `after`, None where there are no more."""

    items: list[Item]
    next: str | None


class UserPage(BaseModel):
    """Users in the order of their ids; `next` goes into `after`, None where there are no more."""

    users: list[User]
    next: str | None
