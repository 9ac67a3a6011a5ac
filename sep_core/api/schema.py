"""OpenAPI schemas straight from pydantic, with every pattern and bound, one component a model.

The generator's own schemas drop patterns, constraints in lists and `additionalProperties: false`.
"""

from collections.abc import Mapping
from typing import Any, Final

from litestar._openapi.datastructures import RegisteredSchema, SchemaRegistry
from litestar._openapi.schema_generation.schema import SchemaCreator
from litestar.openapi.spec import Reference, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

REFERENCE: Final = "#/components/schemas/{model}"


class RawSchema(Schema):
    """A JSON Schema that pydantic wrote; it goes into the document as it stands."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.document = dict(document)

    def to_schema(self) -> dict[str, Any]:
        """The document itself."""
        return self.document


class PydanticSchemas(OpenAPISchemaPlugin):
    """Describes models; `requests` and `answers` are named by operations only, so they are always described."""

    def __init__(
        self, *, requests: tuple[type[BaseModel], ...], answers: tuple[type[BaseModel], ...]
    ) -> None:
        self._documents = {
            name: document
            for mode, models in _by_mode(requests, answers)
            for model in models
            for name, document in components(model, mode).items()
        }

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Pydantic models, and nothing else."""
        annotation = field_definition.annotation
        return isinstance(annotation, type) and issubclass(annotation, BaseModel)

    def to_openapi_schema(  # type: ignore[override]  # the caller takes references too
        self, field_definition: FieldDefinition, schema_creator: SchemaCreator
    ) -> Schema | Reference:
        """Registers the model and what it is made of, and refers to it."""
        model: type[BaseModel] = field_definition.annotation
        registry = schema_creator.schema_registry
        for name, document in (self._documents | components(model, "serialization")).items():
            _register(registry, name, document)
        return _refer(registry, model.__name__)


def reference(model: type[BaseModel]) -> Reference:
    """A reference to a model's component."""
    return Reference(REFERENCE.format(model=model.__name__))


def components(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, dict[str, Any]]:
    """A model's schema and those of the models inside it, by name."""
    document = model.model_json_schema(mode=mode, ref_template=REFERENCE)
    inner: dict[str, dict[str, Any]] = document.pop("$defs", {})
    return {**inner, model.__name__: document}


def _by_mode(
    requests: tuple[type[BaseModel], ...], answers: tuple[type[BaseModel], ...]
) -> tuple[tuple[JsonSchemaMode, tuple[type[BaseModel], ...]], ...]:
    return (("validation", requests), ("serialization", answers))


def _register(registry: SchemaRegistry, name: str, document: Mapping[str, Any]) -> None:
    key = (name,)
    if key in registry._schema_key_map:
        return
    registered = RegisteredSchema(key, RawSchema(document), [])
    registry._schema_key_map[key] = registered
    registry._model_name_groups[name].append(registered)


def _refer(registry: SchemaRegistry, name: str) -> Reference:
    registered = registry._schema_key_map[(name,)]
    made = Reference(REFERENCE.format(model=name))
    registered.references.append(made)
    registry._schema_reference_map[id(made)] = registered
    return made
