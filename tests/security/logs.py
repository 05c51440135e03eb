"""What must never be found in a log."""

import re

from tests.signing import Keys

# A signature: 64 hexadecimal digits, or 27 base64 digits and "=" behind a name that says so. An access key that stands
# where a user is named is no secret; one in the form of a credential is part of a request that can be replayed.
_SIGNATURES = (
    re.compile(rb"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])"),
    re.compile(rb"(?i)signature=(?!\.\.\.)[A-Za-z0-9%+/]"),
    re.compile(rb"AWS [A-Za-z0-9_.-]+:[A-Za-z0-9+/]{27}="),
    re.compile(rb"(?i)authorization\s*[:=]"),
    re.compile(rb"(?i)security-token=(?!\.\.\.)[A-Za-z0-9%+/]"),
    re.compile(rb"(?i)customer-key[\"' ]*[=:]\s*(?!\.\.\.)[A-Za-z0-9%+/]"),
)


def secrets_in(log: bytes, *users: Keys) -> list[bytes]:
    """The lines of ``log`` that hold a secret key, or anything like a signature."""
    secret_keys = [user.secret_key.encode() for user in users]
    return [
        line
        for line in log.splitlines()
        if any(key in line for key in secret_keys) or any(pattern.search(line) for pattern in _SIGNATURES)
    ]
