import pytest

pytest.register_assert_rewrite("tests.integration.assertions", "tests.integration.watched")
