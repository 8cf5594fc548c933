"""`models fetch` against servers that break off, lie and serve bombs: the right bytes arrive, or one sentence does."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest

from support.file_server import Behaviour, serve
from vigie.errors import DownloadError, DownloadRefusedError
from vigie.models.download import Conduct, ExpectedFile, download
from vigie_edgehub.shell.certificates import Certificates

CONTENT = random.Random(1).randbytes(700_000)


def quiet(_line: str) -> None:
    """Progress nobody looks at."""


def get(url: str, folder: Path, content: bytes = CONTENT) -> bytes:
    wanted = ExpectedFile(url, hashlib.sha256(content).hexdigest(), len(content))
    return download(wanted, folder, Conduct(quiet, pause=lambda _s: None)).read_bytes()


def test_a_file_is_fetched_whole(tmp_path: Path) -> None:
    with serve(Behaviour(CONTENT)) as url:
        assert get(url, tmp_path) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [hashlib.sha256(CONTENT).hexdigest()]


def test_a_connection_cut_midway_goes_on_where_it_broke(tmp_path: Path) -> None:
    does = Behaviour(CONTENT, cuts=[300_000, 100_000])
    with serve(does) as url:
        assert get(url, tmp_path) == CONTENT
    assert [asked.get("range") for asked in does.asked] == [None, "bytes=300000-", "bytes=400000-"]
    assert [asked.get("if-range") for asked in does.asked] == [None, '"v1"', '"v1"']


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(tmp_path: Path) -> None:
    does = Behaviour(CONTENT, cuts=[300_000, 0, 0])
    with serve(does) as url:
        with pytest.raises(DownloadError, match=r"broke after 300000 of 700000 bytes; run it again, it goes on where"):
            get(url, tmp_path)
        assert get(url, tmp_path) == CONTENT
    assert does.asked[-1]["range"] == "bytes=300000-"


def test_a_server_that_ignores_ranges_begins_again(tmp_path: Path) -> None:
    does = Behaviour(CONTENT, cuts=[300_000], ranges=False)
    with serve(does) as url:
        assert get(url, tmp_path) == CONTENT
    assert len(does.asked) == 2


def test_a_file_that_changed_meanwhile_begins_again(tmp_path: Path) -> None:
    does = Behaviour(bytes(700_000), cuts=[300_000, 0, 0])
    with serve(does) as url:
        with pytest.raises(DownloadError):
            get(url, tmp_path)
        does.content, does.etag = CONTENT, '"v2"'
        assert get(url, tmp_path) == CONTENT
    assert does.asked[-1]["if-range"] == '"v1"'


def test_halves_of_two_versions_are_thrown_away_and_the_whole_is_fetched(tmp_path: Path) -> None:
    does = Behaviour(bytes(700_000), cuts=[300_000, 0, 0], honest_if_range=False)
    with serve(does) as url:
        with pytest.raises(DownloadError):
            get(url, tmp_path)
        does.content = CONTENT
        assert get(url, tmp_path) == CONTENT
    assert "range" not in does.asked[-1]


def test_too_much_from_before_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / f"{hashlib.sha256(CONTENT).hexdigest()}.part").write_bytes(bytes(800_000))
    with serve(Behaviour(CONTENT)) as url:
        assert get(url, tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (Behaviour(CONTENT[:-1] + b"\0"), "is not the file that was asked for (sha256 does not match"),
        (Behaviour(CONTENT, content_length=700_001), "has 700001 bytes, 700000 were expected"),
        (Behaviour(CONTENT + b"x", no_length=True), "goes on after the 700000 bytes that were expected"),
        (Behaviour(CONTENT, encoding="gzip"), "comes compressed although that was not asked for"),
        (Behaviour(CONTENT, statuses=[404]), "the server answers 404; correct the URL"),
        (Behaviour(CONTENT, statuses=[204]), "answers 204 where a file was expected"),
        (Behaviour(CONTENT, location="http://192.0.2.1/x"), "is not https"),
        (Behaviour(CONTENT, location="file:///etc/passwd"), "the server answers 302"),
    ],
    ids=["wrong-bytes", "wrong-length", "endless", "compressed", "missing", "empty", "away", "to-a-file"],
)
def test_what_cannot_become_the_file_is_refused_and_not_kept(tmp_path: Path, does: Behaviour, said: str) -> None:
    with serve(does) as url, pytest.raises(DownloadRefusedError) as refused:
        get(url, tmp_path)
    assert said in str(refused.value)
    assert len(does.asked) == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


def test_a_range_of_another_size_is_refused(tmp_path: Path) -> None:
    with (
        serve(Behaviour(CONTENT, cuts=[9], range_total=5)) as url,
        pytest.raises(DownloadRefusedError, match="has 5 b"),
    ):
        get(url, tmp_path)


def test_a_file_that_is_shorter_than_its_stated_length_is_refused(tmp_path: Path) -> None:
    said = "has 1000 bytes, 700000 were expected"
    does = Behaviour(CONTENT[:1000], content_length=700_000)
    with serve(does) as url, pytest.raises(DownloadRefusedError, match=said):
        get(url, tmp_path)


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    does = Behaviour(CONTENT, statuses=[503, 429])
    with serve(does) as url:
        assert get(url, tmp_path) == CONTENT
    assert len(does.asked) == 3


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    with serve(Behaviour(CONTENT)) as url:
        pass
    with pytest.raises(DownloadError, match=r"model.zip: no answer \(.*refused.*\); run it again"):
        get(url, tmp_path)


def test_redirects_on_this_machine_are_followed(tmp_path: Path) -> None:
    with serve(Behaviour(CONTENT, location="/moved")) as url:
        assert get(url, tmp_path) == CONTENT


@pytest.mark.parametrize("hops", [3, 1000])
def test_a_few_redirects_are_followed_and_endless_ones_are_not(tmp_path: Path, hops: int) -> None:
    does = Behaviour(CONTENT, hops=hops)
    with serve(does) as url:
        if hops == 3:
            assert get(url, tmp_path) == CONTENT
        else:
            with pytest.raises(DownloadRefusedError, match="redirects more than 5 times; correct the URL"):
                get(url, tmp_path)
    assert len(does.asked) == min(hops, 5) + 1


def test_a_server_that_stalls_has_broken_off_and_the_next_attempt_goes_on_there(tmp_path: Path) -> None:
    does = Behaviour(CONTENT, stalls=[300_000])
    wanted = ExpectedFile("", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    with serve(does) as url:
        wanted = replace(wanted, url=url)
        conduct = Conduct(quiet, pause=lambda _s: None, silent_s=0.5)
        assert download(wanted, tmp_path, conduct).read_bytes() == CONTENT
    assert [asked.get("range") for asked in does.asked] == [None, "bytes=300000-"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/m.zip", "http://example.org/m.zip: is not https"),
        ("ftp://example.org/m.zip", "is not https"),
        ("file:///etc/passwd", "is not https"),
        ("https:///m.zip", "is not https"),
        ("http://127.0.0.1.example.org/m", "is not https"),
        ("http://[::1/m", "cannot be read"),
        ("https://me:word@example.org/m?sig=1", "https://example.org/m: holds a password"),
    ],
)
def test_links_that_are_not_safe_are_never_asked(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(DownloadRefusedError) as refused:
        get(url, tmp_path)
    assert said in str(refused.value)
    assert "word" not in str(refused.value).replace("password", "")


def test_loopback_goes_past_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve(Behaviour(CONTENT)) as url:
        assert get(url, tmp_path) == CONTENT


def test_https_goes_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve(Behaviour(CONTENT)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.removesuffix("/model.zip"))
        # This proxy knows no CONNECT: that it was asked is all that matters here.
        with pytest.raises(DownloadError, match="Tunnel connection failed: 501"):
            get("https://models.invalid/m.zip", tmp_path)


def test_ca_files_that_are_none_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(DownloadRefusedError, match="cannot be read as certificates"):
        get("https://models.invalid/m.zip", tmp_path)


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """A CA that nobody trusts yet, and a server certificate for localhost."""
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    made = Certificates(tmp_path / "ca")
    made.prepare(["localhost"])
    return made


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_of_ones_own_is_trusted_by_the_usual_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: Certificates, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificates.ca_file))
    with serve(Behaviour(CONTENT, cuts=[300_000]), tls=certificates.context()) as url:
        assert url.startswith("https://localhost:")
        assert get(url, tmp_path / "downloads") == CONTENT


def test_a_certificate_that_nobody_vouches_for_is_one_sentence(tmp_path: Path, certificates: Certificates) -> None:
    said = r"its certificate is not trusted \(.*\); if a proxy inspects the traffic, set SSL_CERT_FILE or REQUESTS_CA"
    does, tls = Behaviour(CONTENT), certificates.context()
    with serve(does, tls=tls) as url, pytest.raises(DownloadRefusedError, match=said):
        get(url, tmp_path / "downloads")
    assert does.asked == []


def test_https_never_redirects_to_plain_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))
    does, tls = Behaviour(CONTENT, location="http://127.0.0.1:9/moved"), certificates.context()
    said = r"redirects to http://127\.0\.0\.1:9/moved, which is not https"
    with serve(does, tls=tls) as url, pytest.raises(DownloadRefusedError, match=said):
        get(url, tmp_path / "downloads")


# -- archives ---------------------------------------------------------------------------------------------------------
