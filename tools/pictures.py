"""Pictures among the outputs of a notebook, as `course_utils.views.with_alt` shows them: HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, MutableMapping
from typing import Any

PICTURE = re.compile(r'<img alt="([^"]*)" width="(\d+)" src="data:image/png;base64,([^"]+)">')


def as_images(outputs: Iterable[MutableMapping[str, Any]]) -> None:
    """Turn pictures in HTML into image/png with the words in the metadata, in place.

    JupyterLab hands only the former to a screen reader. Tools that make pages know the latter.

    >>> data = {"text/html": '<img alt="A &lt; B" width="9" src="data:image/png;base64,iV">'}
    >>> outputs = [{"data": data, "metadata": {}}]
    >>> as_images(outputs)
    >>> outputs
    [{'data': {'image/png': 'iV'}, 'metadata': {'image/png': {'alt': 'A < B', 'width': 9}}}]
    """
    for output in outputs:
        data = output.get("data", {})
        if found := PICTURE.fullmatch("".join(data.get("text/html", ""))):
            alt, width, png = found.groups()
            del data["text/html"]
            data["image/png"] = png
            output["metadata"]["image/png"] = {"alt": html.unescape(alt), "width": int(width)}
