"""Messages, help texts and docs use the usual words; see Language in CONTRIBUTING.md."""

import re
import subprocess

from data_registry.clone import repository

ROOT = repository()
# Of an earlier dialect: what a reader would have to guess.
ODD = re.compile(
    r"""\bis no [a-z]+["']|stands twice|is told of|takes no more|not spoken here|without a word|their own ways"""
    r"""|\bits keeper\b|\bwhence\b|\bwhither\b|\blest\b|there is none of|who made it\b|names no registry|no array has"""
    r"""|[Ll]ead ports|config names it|whoever wants|relation mean\b|the person at the keyboard"""
)
WHERE = ("tools/**/*.py", "tools/run", "Makefile", "*.md", "tools/**/*.md", "compose/**/*.md", "compose/**/*.sh")


def test_no_words_of_the_earlier_dialect() -> None:
    listed = subprocess.run(
        ["git", "ls-files", *(f":(glob){each}" for each in WHERE)], cwd=ROOT, text=True, capture_output=True
    )
    files = [name for name in listed.stdout.splitlines() if name != "CHANGELOG.md" and "/sample/" not in name]
    assert files
    odd = [
        f"{name}:{number}: {line.strip()}"
        for name in files
        if (ROOT / name).is_file()
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if ODD.search(line)
    ]
    assert odd == []
