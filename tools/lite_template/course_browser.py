"""What is different where the course runs in a browser; IPython calls `start` when it starts.

`tools/lite.py` puts this into the course's wheel, together with the recorded runs of the lessons
and `stored.json`, the stored outputs of the cells that need PyTorch.
"""

import json
import os
import sys
from pathlib import Path

from IPython import get_ipython
from IPython.display import display

HERE = Path(__file__).parent
SAYS = "Stored output, made on a computer: this cell needs PyTorch, which no browser runs."


def recorded(cell_id, source):
    """Show the stored output of a cell in place of running it: the magic `%%recorded`."""
    print(SAYS)
    stored = json.loads((HERE / "stored.json").read_text(encoding="utf-8"))
    for output in stored[cell_id.strip()]:
        if output["output_type"] == "stream":
            print(output["text"], end="", file=getattr(sys, output["name"]))
        else:
            display(output["data"], raw=True)


def start():
    """Teach IPython the magic; where the lessons' files cannot be seen, bring the recorded runs."""
    get_ipython().register_magic_function(recorded, "cell")
    if not os.path.isdir("/drive"):  # no service worker: plain http, or a private window
        os.symlink(HERE / "results", "results")
