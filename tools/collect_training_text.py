#!/usr/bin/env python3
"""Collects the training text of models/tiny-olmoe from Debian packages: prose, LaTeX and Python code.

    tools/collect_training_text.py FOLDER

downloads the packages of PACKAGES with apt-get into FOLDER/debs (nothing is installed), unpacks them into FOLDER/x and
writes FOLDER/training_text.jsonl.gz: one line a document, {"text", "meta": {"pile_set_name", "source"}}, with
pile_set_name "ArXiv" for LaTeX, "Github" for code and "Prose" for prose, the names that the Pile uses for the first two.
Same packages, same file: documents are ordered by a hash of their path, equal documents are kept once, and every
document that is left out is counted by reason. Needs Debian 12 and Python's standard library only.
"""

import collections
import gzip
import hashlib
import html.parser
import json
import pathlib
import re
import subprocess
import sys

PACKAGES = """
texlive-science-doc texlive-publishers-doc texlive-humanities-doc texlive-latex-recommended-doc texlive-pictures-doc
texlive-latex-base-doc pari-doc latexml
anarchism bible-kjv-text perl-doc postgresql-doc-15 jargon-text debian-handbook fortunes debian-reference-en
developers-reference
python3-sympy python3-django python3-networkx python3-twisted python3-docutils python3-matplotlib python3-pandas
python3-sklearn python3-sqlalchemy mercurial-common python3-sphinx python3-statsmodels python3-scipy
""".split()

MAX_DOCUMENT_CHARS = 60_000  # longer files are cut at line ends into documents of their own
MIN_DOCUMENT_CHARS = 400
MAX_BYTES = {"ArXiv": 20_000_000, "Github": 20_000_000, "Prose": 28_000_000}
MAX_FOREIGN_FRAC = 0.01  # characters outside ASCII: beyond that a text is not English prose, LaTeX or code

PROSE_NAMES = re.compile(r"/(anarchism|postgresql-doc-15|debian-handbook|debian-reference|developers-reference)/")
PROSE_FILES = re.compile(r"(jargon\.txt|debian-reference\.en\.txt|/games/fortunes/[a-z-]+$)")


class TextOfHtml(html.parser.HTMLParser):
    """The visible text of a page: blocks become paragraphs, script, style and navigation go."""

    BLOCKS = {"p", "div", "h1", "h2", "h3", "h4", "li", "tr", "dt", "dd", "pre", "blockquote", "table", "br"}
    HIDDEN = {"script", "style", "head", "nav", "footer"}

    def __init__(self):
        super().__init__()
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in self.HIDDEN
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        self.hidden -= tag in self.HIDDEN and self.hidden > 0
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)

    def text(self):
        lines = [re.sub(r"[ \t\r]+", " ", line).strip() for line in "".join(self.parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def text_of_pod(text):
    text = re.sub(r"[BCFILSX]<+\s?([^<>]*?)\s?>+", r"\1", text)
    return re.sub(r"^=(head\d|item|over|back|cut|pod|encoding)\b ?.*?(?=\S|$)", "", text, flags=re.M)


def read(path):
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    for encoding in ("utf-8", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue


def classify(name):
    """The domain of a file and how to make it text; None for files that are not wanted."""
    plain = name.removesuffix(".gz")
    if plain.endswith((".tex", ".ltx")):
        return "ArXiv", lambda text: text
    if plain.endswith(".py") and "/tests/" not in plain and "/test/" not in plain and "/locale/" not in plain:
        return "Github", lambda text: text
    if plain.endswith(".html") and PROSE_NAMES.search(plain) and not re.search(r"/html/(?!en)[a-z]{2}-[A-Z]{2}/", plain):
        return "Prose", lambda text: (page := TextOfHtml(), page.feed(text), page.text())[2]
    if plain.endswith(".pod"):
        return "Prose", text_of_pod
    if PROSE_FILES.search(plain):
        return "Prose", lambda text: text
    return None


def cut(text):
    while len(text) > MAX_DOCUMENT_CHARS:
        end = text.rfind("\n", 0, MAX_DOCUMENT_CHARS) + 1 or MAX_DOCUMENT_CHARS
        yield text[:end]
        text = text[end:]
    yield text


def collect(root):
    counts = collections.Counter()
    seen, documents = set(), []
    for path in sorted(root.rglob("*")):
        name = "/" + str(path.relative_to(root))
        kind = classify(name) if path.is_file() and not path.is_symlink() else None
        if kind is None:
            continue
        domain, convert = kind
        text = convert(read(path).replace("\r\n", "\n").replace("\r", "\n"))
        for part, piece in enumerate(cut(text)):
            key = hashlib.sha256(piece.encode()).hexdigest()
            if len(piece) < MIN_DOCUMENT_CHARS:
                counts[domain, "too short"] += 1
            elif sum(ord(c) > 126 for c in piece) > MAX_FOREIGN_FRAC * len(piece):
                counts[domain, "not English"] += 1
            elif key in seen:
                counts[domain, "repeated"] += 1
            else:
                seen.add(key)
                documents.append((hashlib.sha256(f"{name}#{part}".encode()).hexdigest(), domain, f"{name}#{part}", piece))
    used, kept = collections.Counter(), []
    for order, domain, source, piece in sorted(documents):
        if used[domain] + len(piece.encode()) > MAX_BYTES[domain]:
            counts[domain, "beyond the bound"] += 1
            continue
        used[domain] += len(piece.encode())
        counts[domain, "kept"] += 1
        kept.append({"text": piece, "meta": {"pile_set_name": domain, "source": source}})
    return kept, used, counts


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    debs, root = folder / "debs", folder / "x"
    debs.mkdir(parents=True, exist_ok=True)
    missing = [p for p in PACKAGES if not list(debs.glob(f"{p}_*.deb"))]
    if missing:
        subprocess.run(["apt-get", "download", *missing], cwd=debs, check=True)
    if not root.exists():
        for deb in sorted(debs.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    kept, used, counts = collect(root)
    with gzip.GzipFile(folder / "training_text.jsonl.gz", "wb", mtime=0) as out:
        for document in kept:
            out.write((json.dumps(document, ensure_ascii=False) + "\n").encode())
    for domain, n_bytes in sorted(used.items()):
        print(f"{domain}: {n_bytes / 1e6:.1f} MB")
    for (domain, what), n in sorted(counts.items()):
        print(f"  {domain}, {what}: {n} documents")


if __name__ == "__main__":
    main()
