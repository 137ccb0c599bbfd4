"""The steps that an environment is made by."""

from typing import Literal, TypeAlias

Step: TypeAlias = (
    tuple[Literal["folder"], str]
    | tuple[Literal["link"], str, str]
    | tuple[Literal["hardlink"], str, str, str, tuple[str, ...]]
    | tuple[Literal["copy"], str, str, bool]
    | tuple[Literal["content"], str, bytes, bool]
    | tuple[Literal["script"], str, bytes, bytes]
    | tuple[Literal["record"], str, str, str, bytes, tuple[str, ...]]
)
"""What is done, and the path in the environment. Then: the file or folder of the store; the content; whether it can be
executed, of a copy even if the file cannot. Of hard links, which are in that path, the folder of a wheel in the store,
the one in that which they are of, and the names. Of a script, the arguments of its interpreter and what follows the
first line. Of a RECORD, the one in the store, the folder that its lines start from, the lines that it has more, and the
files whose lines are missing."""
