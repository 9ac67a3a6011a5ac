"""OpenAPI schemas straight from pydantic, with every pattern and bound, one component a model."""

from typing import Any

from litestar._openapi.schema_generation.schema import SchemaCreator
from litestar.openapi.spec import Reference, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from pydantic import BaseModel

_TEMPLATE = "#/components/schemas/{model}"


class RawSchema(Schema):
    """A JSON Schema that pydantic wrote; it goes into the document as it stands."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(title=document.get("title"))
        self.document = document

    def to_schema(self) -> dict[str, Any]:
        """The document itself."""
        return self.document


def model_document(model: type[BaseModel]) -> dict[str, Any]:
    """A self-contained JSON Schema of a model, with its nested models in `$defs`."""
    return model.model_json_schema(mode="serialization")


class PydanticSchemas(OpenAPISchemaPlugin):
    """Replaces the stock schemas, which drop patterns, constraints in lists and `extra = forbid`."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Pydantic models, and nothing else."""
        annotation = field_definition.annotation
        return isinstance(annotation, type) and issubclass(annotation, BaseModel)

    def to_openapi_schema(
        self, field_definition: FieldDefinition, schema_creator: SchemaCreator
    ) -> Schema | Reference:
        """Registers the model as a component and refers to it."""
        model = field_definition.annotation
        component = schema_creator.schema_registry.get_schema_for_field_definition(field_definition)
        component.title = model.__name__
        reference = schema_creator.schema_registry.get_reference_for_field_definition(field_definition)
        return reference or component
