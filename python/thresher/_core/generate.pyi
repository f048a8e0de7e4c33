"""What a generation asks of the core."""

from typing import final

__all__ = ["Schema"]

@final
class Schema:
    """A compiled JSON Schema. Nothing is fetched: all definitions stand in it."""

    def __new__(cls, schema_json: str) -> Schema:
        """Compiles a schema.

        Regular expressions that look around or back, and what would take too long to follow, are refused.
        `format` is an annotation, as the standard has it: it is not checked.

        Args:
            schema_json: A JSON object of at most 256 KiB; draft 2020-12 unless its `$schema` names another.

        Raises:
            ParameterError: It is no JSON Schema, or refers to something outside itself.
        """

    def errors(self, instance_json: str) -> list[str]:
        """What is wrong with a text that is to be JSON of this schema.

        Returns:
            Empty if nothing is. Else at most 20 sentences, each beginning with its place as a JSON Pointer
            (`/answers/2/text: ...`), or with `the value as a whole: `; the last one counts those that are
            left out. A text that is no JSON has one.
        """
