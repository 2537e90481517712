"""The SDK's own command `flyte`, with the arguments of this script."""

import sys

from common import leave
from flyte.cli.main import main

if __name__ == "__main__":
    try:
        main(prog_name="flyte")
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
        leave(code if isinstance(code, int) else int(code is not None))
