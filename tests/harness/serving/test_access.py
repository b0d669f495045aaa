"""Who may reach a server: this machine alone, or others with a key that is never said."""

import socket

import pytest

from harness.errors import UserError
from harness.serving.platforms import find_platform
from harness.serving.routing import arrange
from tests.harness.serving.routes import access
from tests.support.processes import free_port

KEY = "a-long-random-text"


@pytest.fixture
def port() -> int:
    return free_port()


def test_this_machine_needs_no_key(port: int) -> None:
    found = arrange("127.0.0.1", port, {})
    assert (found.url, found.key, found.is_local) == (f"http://127.0.0.1:{port}", None, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "gpu-host"])
@pytest.mark.parametrize("environment", [{}, {"TUNEGATE_SERVE_KEY": " "}, {"TUNEGATE_API_KEY": KEY}])
def test_a_host_that_others_reach_needs_the_servers_own_key(port: int, host: str, environment: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"other machines reach it, and no key is set. Set TUNEGATE_SERVE_KEY"):
        arrange(host, port, environment)


@pytest.mark.parametrize("name", ["TUNEGATE_SERVE_KEY", "VLLM_API_KEY"])
def test_with_a_key_others_may_reach_it(port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f" {KEY} ")
    found = arrange("0.0.0.0", port, {name: f" {KEY} "})
    assert (found.key_from, found.key, found.url) == (name, KEY, f"http://127.0.0.1:{port}")
    assert len(found.warnings) == 2 and "plain HTTP" in found.warnings[1]


def test_a_platform_that_is_trusted_is_said_to_open_its_route() -> None:
    trusted = access(platform=find_platform("sagemaker", True, {}))
    assert "/invocations answers without a key: whoever reaches the port may use the model" in trusted.warnings
    assert len(access(platform=find_platform("sagemaker", False, {})).warnings) == 1


def test_the_key_stands_in_nothing_that_is_kept_or_said(port: int) -> None:
    found = arrange("0.0.0.0", port, {"TUNEGATE_SERVE_KEY": KEY})
    assert KEY not in repr(found) + " ".join(found.warnings)
    with pytest.raises(UserError, match="TUNEGATE_SERVE_KEY: holds characters") as caught:
        arrange("127.0.0.1", port, {"TUNEGATE_SERVE_KEY": f"{KEY}\nmore"})
    assert KEY not in str(caught.value)


def test_a_port_on_which_something_listens_is_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port {taken}: something listens on 127.0.0.1:{taken} already"):
            arrange("127.0.0.1", taken, {})


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_an_address_of_another_machine_or_of_none_is_refused(host: str, port: int) -> None:
    with pytest.raises(UserError, match="cannot listen there"):
        arrange(host, port, {"VLLM_API_KEY": KEY})


def test_an_address_of_version_6_is_bracketed() -> None:
    assert access(host="::").url == access(host="::1").url == "http://[::1]:8000"
