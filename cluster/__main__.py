"""``python -m cluster`` is ``slotcast``, and starts what works behind a server."""

import sys

from cluster.behind import behind_requests


def main() -> int:
    """Run the command; the exit code."""
    run = behind_requests(sys.argv[1:])
    if run is None:
        from cluster.cli import main as command_line

        return command_line()
    try:
        run()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - it is explained
        from cluster.cli import explained

        return explained(error)
    return 0


sys.exit(main())
