"""``s3proxy cache``: commands to the running node, through its admin socket."""

import argparse
import os
import sys
from contextlib import closing

from s3proxy.admin.messages import MAX_JOBS, CacheRequest, Refused
from s3proxy.commands.admin_client import NodeError, NoNodeError, ask, connect
from s3proxy.commands.finding import HINT, add_node_options, sockets_of
from s3proxy.config.sizes import parse_size
from s3proxy.s3.errors import S3Error
from s3proxy.s3.names import parse_bucket

DONE, FAILED, WRONG_CALL, NO_NODE = range(4)
"""The exit codes; argparse knows of WRONG_CALL too."""

_EPILOG = "Exit codes: 0 done, 1 failed in part or as a whole, 2 called wrongly, 3 no node is running."


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``cache`` and its actions to the commands of the command line."""
    text = "look at and steer the cache of the running node"
    cache = commands.add_parser("cache", help=text, description=text.capitalize() + ".", epilog=_EPILOG)
    actions = cache.add_subparsers(required=True, metavar="ACTION")
    status = _add(actions, "status", "show the tiers, or how much of each object below a prefix is cached")
    _add_url(status, needed=False)
    status.add_argument("--json", action="store_true", help="print JSON lines instead of tables")
    load = _add(actions, "load", "fetch what is not cached yet; a second run goes on where the first one stopped")
    _add_url(load)
    _add_rate(load)
    load.add_argument("--jobs", type=_jobs, default=8, metavar="N", help="requests at once (default 8)")
    free = _add(actions, "free", "drop from the cache; the objects stay in the store")
    _add_url(free)
    free.add_argument("--pinned", action="store_true", help="what is pinned too")
    _add_url(_add(actions, "pin", "keep from eviction; loads nothing"))
    _add_url(_add(actions, "unpin", "take back a pin"))
    verify = _add(actions, "verify", "read what is cached, compare it with its checksums, drop what is damaged")
    _add_url(verify, needed=False)
    _add_rate(verify)
    for action in (load, free, verify):
        action.add_argument("--quiet", action="store_true", help="say only what failed")


def _add(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text, description=text.capitalize() + ".", epilog=_EPILOG)
    add_node_options(action)
    action.set_defaults(
        command=run, action=name, url=(None, ""), rate=None, jobs=8, pinned=False, quiet=False, json=False
    )
    return action


def _add_url(action: argparse.ArgumentParser, *, needed: bool = True) -> None:
    text = "every key of the bucket that starts with the prefix"
    action.add_argument("url", type=parse_url, nargs=None if needed else "?", metavar="s3://BUCKET/PREFIX", help=text)


def _add_rate(action: argparse.ArgumentParser) -> None:
    action.add_argument("--rate", type=_rate, metavar="SIZE", help="bytes a second at most, for example 200MiB")


def parse_url(url: str) -> tuple[str, str]:
    """Take an s3:// URL apart into bucket and prefix, which is taken as it stands.

    Raises:
        argparse.ArgumentTypeError: it is none, with what is wrong.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.lower() != "s3":
        bare = url.lstrip("/") if not mark else rest
        raise argparse.ArgumentTypeError(
            f"{url!r} does not begin with s3://; write for example s3://{bare or 'bucket'}"
        )
    bucket, _, prefix = rest.partition("/")
    try:
        return parse_bucket(bucket), prefix
    except S3Error:
        raise argparse.ArgumentTypeError(
            f"{url!r} names no bucket that could exist; write for example s3://bucket/prefix"
        ) from None


def run(options: argparse.Namespace) -> int:
    """Have the node do what the options say; returns the exit code."""
    bucket, prefix = options.url or (None, "")
    request = CacheRequest(bucket=bucket, prefix=prefix, rate=options.rate, jobs=options.jobs, pinned=options.pinned)
    try:
        return _show(options, request)
    except NoNodeError as error:
        return _fail(f"{error}; {HINT}", NO_NODE)
    except NodeError as error:
        return _fail(str(error), FAILED)
    except KeyboardInterrupt:
        return _fail("stopped" + ("; the same command goes on from here" if options.action == "load" else ""), FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush at the end
        return FAILED


def _show(options: argparse.Namespace, request: CacheRequest) -> int:
    from s3proxy.commands import showing, wording  # noqa: PLC0415 (rich takes 40 ms, which a node has no use for)

    with closing(ask(connect(sockets_of(options)), options.action, request)) as messages:
        if options.json:
            result = showing.show_json(messages)
        elif options.action == "status":
            result = showing.show_status(messages)
        else:
            with showing.progress_view(options.action, quiet=options.quiet) as view:
                result = showing.show_work(messages, view)
    if result is None:
        raise NodeError("the node went away before it was done")
    if isinstance(result, Refused):
        return _fail(result.reason, FAILED)
    if (words := wording.tell_result(result)) and not options.quiet and not options.json:
        sys.stdout.write(f"{words}\n")
    return FAILED if wording.has_failed(result) else DONE


def _rate(text: str) -> int:
    try:
        return parse_size(text.removesuffix("/s"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_JOBS}")
    return int(text)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"s3proxy: {message}\n")
    return code
