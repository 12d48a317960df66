"""HTTPS: who is trusted, for which name, and what a refusal says (F8, F11)."""

import subprocess
import threading

import pytest
from fetcher.addresses import Address
from fetcher.http import Response
from fetcher.watchdog import Watchdog
from stage.errors import NetworkFailed, PolicyViolation
from unit.fetcher.scripted import Reply, Scripted

GOOD = b"over a secure line"


def certificate(folder, name="IP:127.0.0.1", *more):
    """Make a self-signed certificate and return it with its key in one file."""
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert]
    command += ["-subj", "/CN=test", "-addext", f"subjectAltName={name}", *more]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


def test_unknown_authority_is_refused_with_a_hint(desk, tmp_path):
    """F11."""
    with Scripted(certificate(tmp_path)).running() as secure:
        desk.ask(("a", secure.on("/a", Reply(GOOD)), GOOD))
        with pytest.raises(PolicyViolation, match=r"TLS connection to .*self-signed.*check the clock") as caught:
            desk.fetch(trust=(secure.origin,))
        assert caught.value.code == 14
        assert secure.seen == []


def test_authority_named_by_ssl_cert_file_is_trusted(desk, tmp_path, monkeypatch):
    """F11."""
    both = certificate(tmp_path)
    with Scripted(both).running() as secure:
        desk.ask(("a", secure.on("/a", Reply(GOOD, etag='"1"', drop_at=3), Reply(GOOD, etag='"1"')), GOOD))
        monkeypatch.setenv("SSL_CERT_FILE", str(both))
        desk.fetch(trust=(secure.origin,))
    assert desk.tree() == {"a": GOOD}


def test_certificate_of_another_host_or_time_is_refused(desk, tmp_path, monkeypatch):
    """F11."""
    for made in (
        ("DNS:example.org",),
        ("IP:127.0.0.1", "-not_before", "20200101000000Z", "-not_after", "20200201000000Z"),
    ):
        try:
            both = certificate(tmp_path, *made)
        except subprocess.CalledProcessError:
            continue  # this openssl cannot date a certificate back
        with Scripted(both).running() as secure:
            desk.ask(("a", secure.on("/a", Reply(GOOD)), GOOD))
            monkeypatch.setenv("SSL_CERT_FILE", str(both))
            with pytest.raises(PolicyViolation, match="TLS connection to"):
                desk.fetch(trust=(secure.origin,))


def test_host_name_is_verified_while_the_checked_address_is_connected_to(tmp_path, monkeypatch):
    """F8: the connection goes to an IP address, TLS and the server hear of the name."""
    both = certificate(tmp_path, "DNS:files.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", str(both))
    with Scripted(both).running() as secure:
        secure.on("/a", Reply(GOOD))
        port = int(secure.origin.partition(":")[2])
        address = Address("https", "files.example.org", port, "/a")
        response = Response(address, ["127.0.0.1"], {}, Watchdog(), 5, "here")
        assert response.status == 200
        assert secure.seen[0].headers["Host"] == f"files.example.org:{port}"
        response.close()
        with pytest.raises(PolicyViolation, match="TLS connection to"):
            Response(Address("https", "evil.example.org", port, "/a"), ["127.0.0.1"], {}, Watchdog(), 5, "here")


def test_redirect_from_https_to_http_is_refused(desk, server, tmp_path, monkeypatch):
    """F8."""
    both = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(both))
    target = server.on("/a", Reply(GOOD))
    with Scripted(both).running() as secure:
        desk.ask(("a", secure.on("/a", Reply(status=302, headers={"Location": target})), GOOD))
        with pytest.raises(PolicyViolation, match="redirects from https to http"):
            desk.fetch(trust=(secure.origin, server.origin))
    assert server.seen == []


def test_server_that_never_greets_is_left(desk):
    """F11: a TLS handshake without an end."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        held = []
        threading.Thread(target=lambda: held.append(silent.accept()), daemon=True).start()
        origin = f"127.0.0.1:{silent.getsockname()[1]}"
        desk.ask(("a", f"https://{origin}/a", GOOD))
        with pytest.raises(NetworkFailed, match="timed out"):
            desk.fetch(trust=(origin,), timeout=0.5, tries=1)
