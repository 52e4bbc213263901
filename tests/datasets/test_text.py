"""Genesis and Exodus: what is committed is what the source printed; splits, tokens, bad arguments and bad texts."""
from __future__ import annotations

import gzip
import hashlib

import pytest
from gradscape.datasets import integrity, text
from gradscape.datasets.builders import genesis_exodus as builder


def test_sizes_and_first_and_last_verse():
    everything = text.verses()
    assert len(everything) == 2746
    assert sum(len(verse.text.split()) for verse in everything) == 70_949
    assert everything[0].text == "In the beginning God created the heaven and the earth."
    assert (everything[-1].book, everything[-1].chapter, everything[-1].number) == ("Exo", 40, 38)
    assert {verse.book: 0 for verse in everything} == {"Ge": 0, "Exo": 0}


def test_splits_are_whole_chapters_and_disjoint():
    parts = {split: text.verses(split) for split in ("train", "validation", "test")}
    chapters = {split: {(v.book, v.chapter) for v in part} for split, part in parts.items()}
    assert sum(map(len, parts.values())) == 2746
    assert {split: len(found) for split, found in chapters.items()} == {"train": 72, "validation": 9, "test": 9}
    assert len(set().union(*chapters.values())) == 90
    assert ("Ge", 5) in chapters["validation"]
    assert ("Ge", 10) in chapters["test"]


def test_tokens_by_hand():
    assert text.tokenize("God's Beth-el, (yea)!") == ["god's", "beth-el", ",", "(", "yea", ")", "!"]
    for verse in text.verses():
        assert "".join(verse.tokens) == "".join(verse.text.lower().split())


def test_bytes_are_those_of_the_registry_and_the_source():
    data = integrity.committed(text.TEXT_FILE)
    assert hashlib.sha256(gzip.decompress(data)).hexdigest() == builder.SOURCE_SHA256


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: text.verses("dev"), "split='dev': must be one of 'train'"),
        (lambda: text.parse_verses(""), "empty"),
        (lambda: text.parse_verses("Ge1:1 In\nno verse"), "line 2 is not a verse"),
        (lambda: text.parse_verses("Lev1:1 And"), "line 1"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_builder_compares_and_refuses(tmp_path, capsys):
    source, out = tmp_path / "text", tmp_path / "out.gz"
    assert builder.main([str(source)]) == 1
    source.write_bytes(gzip.decompress(integrity.committed(text.TEXT_FILE)))
    assert builder.main([str(source), "--out", str(out)]) == 0
    assert builder.main([str(source), "--check"]) == 0
    assert gzip.decompress(out.read_bytes()) == source.read_bytes()
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []
    source.write_text("Ge1:1 something else\n")
    assert builder.main([str(source), "--check"]) == 1
    assert "SHA-256" in capsys.readouterr().err


def test_a_damaged_file_is_refused(monkeypatch):
    monkeypatch.setattr(integrity, "committed", lambda name: b"no gzip")
    text._verses.cache_clear()
    with pytest.raises(integrity.DataError, match="not the expected text"):
        text.verses()
    text._verses.cache_clear()
