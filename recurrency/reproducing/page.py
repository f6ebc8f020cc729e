"""The report as one HTML page that holds its pictures."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from urllib.parse import unquote

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ddd; padding: 0.25rem 0.7rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #888; } img { max-width: 100%; } code { background: #f3f3f3; padding: 0 0.2em; }
h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem; } strong { color: #a33; }
"""


def page(text: str, title: str, folder: Path) -> str:
    """Markdown as a page. Pictures, relative to `folder`, become part of it; other links stay as they are."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                child.attrSet("src", _embedded(folder / unquote(str(child.attrGet("src")))))
    body = reader.renderer.render(tokens, reader.options, {})
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}</body></html>\n'


def _embedded(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
