"""The command line: arguments in, an exit code out; a useful sentence instead of a traceback."""

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from s3proxy import __version__, config
from s3proxy.commands import cache, reload
from s3proxy.node.failures import StartError
from s3proxy.node.run import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it succeeded, 1 when it could not do its work, 2 when it was called or configured wrongly, 3 when it
        needs a running node and there is none.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except config.ConfigError as error:
        return _fail(f"wrong configuration: {error}", 2)
    except StartError as error:
        return _fail(str(error), 1)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s3proxy", description="An S3 endpoint over a directory, or over any S3 with a cache in between."
    )
    parser.add_argument("--version", action="version", version=f"s3proxy {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve S3 until told to stop")
    serve.add_argument("--root", metavar="DIR", help="the directory that holds the buckets (default ./s3proxy-data)")
    serve.add_argument("--listen", metavar="HOST:PORT", help="where to accept connections (default 127.0.0.1:39999)")
    serve.add_argument(
        "--admin-listen", metavar="HOST:PORT", help='the dashboard and metrics (default 127.0.0.1:39990); "" for none'
    )
    serve.add_argument("--config", metavar="FILE", type=Path, help="a TOML file; flags win over it")
    serve.add_argument("--workers", metavar="N", type=int, help="processes that serve (default 0: one per core)")
    serve.add_argument("--no-fsync", action="store_true", help="answer writes before they are on the disk")
    serve.add_argument("--read-only", action="store_true", help="refuse every write")
    serve.add_argument("--access-log", metavar="WHERE", help="stderr (default), off, or a file to append to")
    serve.add_argument("--log-format", metavar="FORM", help="console, json, or auto (default): by where it goes")
    serve.set_defaults(command=_serve)
    check = commands.add_parser("check", help="check a configuration file")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(command=_check)
    credentials = commands.add_parser("credentials", help="make access keys")
    new = credentials.add_subparsers(required=True, metavar="ACTION").add_parser(
        "new", help="print a new user for the configuration file"
    )
    new.add_argument("name", metavar="NAME")
    new.set_defaults(command=_new_credentials)
    cache.add_parser(commands)
    reload.add_parser(commands)
    return parser


def _serve(options: argparse.Namespace) -> int:
    given: dict[str, dict[str, object]] = {"server": {}, "store": {}, "admin": {}, "log": {}}
    if options.listen is not None:
        given["server"]["listen"] = options.listen
    if options.admin_listen is not None:
        given["admin"]["listen"] = options.admin_listen
    if options.workers is not None:
        given["server"]["workers"] = options.workers
    if options.root is not None:
        given["store"]["root"] = options.root
    if options.no_fsync:
        given["store"]["fsync"] = False
    if options.read_only:
        given["store"]["read_only"] = True
    if options.access_log is not None:
        given["log"]["access"] = options.access_log
    if options.log_format is not None:
        given["log"]["format"] = options.log_format
    run(config.load(options.config, given), lambda: config.load(options.config, given))
    return 0


def _check(options: argparse.Namespace) -> int:
    config.load(options.file)
    sys.stdout.write(f"{options.file}: OK\n")
    return 0


def _new_credentials(options: argparse.Namespace) -> int:
    if not options.name.isprintable() or not options.name.strip() or any(c in options.name for c in '"\\'):
        return _fail(f"the name {options.name!r} must be printable, without quotes or backslashes", 2)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    access_key = "AK" + "".join(secrets.choice(alphabet) for _ in range(18))
    sys.stdout.write(
        f'[[users]]\nname = "{options.name}"\naccess_key = "{access_key}"\nsecret_key = "{secrets.token_urlsafe(30)}"\n'
    )
    return 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"s3proxy: {message}\n")
    return code
