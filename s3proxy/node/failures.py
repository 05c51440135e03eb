"""What keeps a node from starting."""


class StartError(Exception):
    """The node cannot start, or not go on; the message is a sentence for the operator."""


def first_failure(failures: BaseExceptionGroup[StartError]) -> StartError:
    """The first of those that nurseries have wrapped."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StartError)
    return error
