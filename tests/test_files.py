"""Hashes of files and of bytes."""

from fer_edge import files

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def test_sha256_of_known_bytes(tmp_path):
    assert files.sha256_of(b"") == EMPTY
    assert files.sha256_of(b"abc") == ABC
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256(tmp_path / "abc") == ABC
