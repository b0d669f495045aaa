"""Where a platform expects its routes: from its own environment, and refused where that makes no sense."""

import pytest

from harness.errors import UserError
from harness.serving.platforms import Platform, find_platform

VERTEX = {
    "AIP_HTTP_PORT": "7080",
    "AIP_HEALTH_ROUTE": "/v1/endpoints/7",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/7:predict",
}
"""As Vertex AI sets them where a model names no routes of its own."""


def test_sagemaker_expects_ping_and_invocations_on_port_8080() -> None:
    expected = Platform(name="sagemaker", port=8080, health="/ping", predict="/invocations")
    assert find_platform("sagemaker", False, VERTEX) == expected


def test_vertex_says_port_and_routes_in_the_environment() -> None:
    found = find_platform("vertex", True, VERTEX)
    assert found == Platform(
        name="vertex", port=7080, health="/v1/endpoints/7", predict="/v1/endpoints/7:predict", is_trusted=True
    )


def test_no_platform_is_assumed_from_the_environment_alone() -> None:
    assert find_platform(None, False, VERTEX) is None


@pytest.mark.parametrize(
    ("name", "trusted", "environment", "says"),
    [
        ("azure", False, {}, "--platform azure: expected one of: sagemaker, vertex"),
        (None, True, {}, "--trust-platform: no platform is named. Add --platform"),
        ("vertex", False, {"AIP_HTTP_PORT": "0"}, "AIP_HTTP_PORT='0': expected a port from 1 to 65535"),
        ("vertex", False, {"AIP_HTTP_PORT": "eighty"}, "AIP_HTTP_PORT='eighty': expected a port"),
        ("vertex", False, {"AIP_PREDICT_ROUTE": "predict"}, "AIP_PREDICT_ROUTE='predict': expected a path such as"),
        ("vertex", False, {"AIP_PREDICT_ROUTE": "/p?x"}, "AIP_PREDICT_ROUTE='/p?x': expected a path such as"),
        (
            "vertex",
            False,
            {"AIP_PREDICT_ROUTE": "/x", "AIP_HEALTH_ROUTE": "/x"},
            "AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE are both '/x'",
        ),
    ],
)
def test_what_no_platform_can_mean_is_refused_in_one_line(
    name: str | None, trusted: bool, environment: dict[str, str], says: str
) -> None:
    with pytest.raises(UserError) as caught:
        find_platform(name, trusted, environment)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)
