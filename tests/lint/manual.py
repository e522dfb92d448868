#!/usr/bin/env python3
"""The manual leaves nothing out: each setting, file, error code, metric and command has its place in
the page that is for it, pages refer to pages that there are, and each recipe is tested.

usage: manual.py ROOT [IMGSTOREFS IMGSTORE]    the programs: what their --help says is looked for, too
"""
import os
import re
import subprocess
import sys

FORMATTING = re.compile(r"\\&|\\e|\\\(dq")
MACRO = re.compile(r"^\.(?!\\\")\S+ ?", re.M)
COMMENT = re.compile(r"^\.\\\".*$", re.M)


class Page:
    def __init__(self, root, file):
        self.file = file
        with open(os.path.join(root, "contrib", "man", file), encoding="utf-8") as f:
            self.source = COMMENT.sub("", f.read())

    def has(self, word):
        text = MACRO.sub("", FORMATTING.sub("", self.source))
        return re.search(rf"(?<!\w)(?<!\w-){re.escape(word)}(?![\w-])", text) is not None

    def section(self, title):
        return re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", self.source, re.M | re.S).group(1)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def said(program):
    return subprocess.run([program, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout


def of_definitions(root):
    """What the tables say that there is: each as (page, what it is, word)."""
    for name in re.findall(r'^NODE\([^"\n]*"([^"]+)"', read(root, "fs/nodes.def"), re.M):
        yield "imgstorefs.5", "file", name
    for word in re.findall(r'ERR_CODE\(\w+, "([^"]+)"\)', read(root, "backend/base/err_code.def")):
        yield "imgstorefs.5", "error code", word
    for word in re.findall(r'^STATE\(\w+, "([^"]+)"\)', read(root, "backend/engine/fsm.def"), re.M):
        yield "imgstorefs.5", "state", word
    for name in re.findall(r'"imgstorefs_(\w+)"', read(root, "backend/metrics.def")):
        yield "imgstorefs.5", "metric", name
    for name in re.findall(r"^REFUSAL\((\w+)\)", read(root, "backend/metrics.def"), re.M):
        yield "imgstorefs.5", "errno", name
    for key in keys_of_info(read(root, "fs/show.c")):
        yield "imgstorefs.5", "key of info", key


def keys_of_info(text):
    for body in re.findall(r"^void show_(?:snapshot_)?info\(.*?^}", text, re.M | re.S):
        yield from re.findall(r'(?:"|\\n)(\w+) %s', body)
        yield from re.findall(r'add_(?:count|time)\(out, "(\w+)"', body)


def of_daemon(text):
    for name, env in re.findall(r"^  (\w+)(?:=\S+)?  \((\w+)\)$", text, re.M):
        yield "imgstorefs.8", "setting", name
        yield "imgstorefs.8", "environment variable", env
    for option in re.findall(r"^  (?:-\w, )?--?([\w-]+) ", text, re.M):
        yield "imgstorefs.8", "option", option


# --- the client's commands


def words_of(arguments):
    """NAME[@ID] [-n N|--lines N] → NAME ID -n N --lines; OPTION stands for those that it has."""
    words = re.findall(r"--?[a-z][a-z-]*|\b[A-Z][A-Z0-9]*\b", arguments)
    return set(words) - {"OPTION"}


def commands_of_page(page):
    """Each command's words, of all of its entries."""
    commands = {}
    for item in re.findall(r"^\.It (Cm .*|Xo\n(?:.*\n)*?\.Xc)$", page.section("COMMANDS"), re.M):
        item = re.sub(r"\bFl -", "--", re.sub(r"\bFl (\w)", r"-\1", item))
        command = re.search(r"Cm (\S+)", item).group(1)
        commands.setdefault(command, set()).update(words_of(item.replace(".Cm", "").replace("Cm", "")))
    return commands


def of_client(page, text):
    there = commands_of_page(page)
    listed = text.partition("Commands:\n")[2].partition("\n\n")[0]
    for command, arguments in re.findall(r"^  (\w+) +((?:[A-Z\[-]\S*(?: (?! )|$)?)*)", listed, re.M):
        if command not in there:
            yield f"{page.file}: there is no command {command}"
        else:
            for word in sorted(words_of(arguments) - there[command]):
                yield f"{page.file}: {command} does not take {word}, which --help says it does"
    for command in sorted(set(there) - set(re.findall(r"^  (\w+)", listed, re.M))):
        yield f"{page.file}: --help has no command {command}"


# --- the recipes


def of_recipes(root):
    page = read(root, "contrib/doc/recipes.md")
    on_page = re.findall(r"^<!-- recipe: (\S+) -->\n```sh\n", page, re.M)
    for block in re.findall(r"(.*)\n```\w*\n(?:[^`].*\n)*?```\n", page):
        if not block.startswith("<!-- recipe: "):
            yield f"recipes.md: behind {block!r} are commands that are not tested"
    listed = re.search(r"^recipes = \[(.*?)\]", read(root, "tests/recipes/meson.build"), re.M | re.S)
    tested = re.findall(r"'([^']+)'", listed.group(1))
    for name in sorted(set(on_page) ^ set(tested)):
        where = "recipes.md" if name in tested else "tests/recipes/meson.build"
        yield f"{where}: there is no recipe {name}"


def findings(root, programs):
    yield from of_recipes(root)
    folder = os.path.join(root, "contrib", "man")
    pages = {file: Page(root, file) for file in sorted(os.listdir(folder)) if file[-2:-1] == "."}
    looked_for = list(of_definitions(root))
    if programs:
        looked_for += of_daemon(said(programs[0]))
        yield from of_client(pages["imgstore.1"], said(programs[1]))
    if len(looked_for) < 100:
        yield f"only {len(looked_for)} words are looked for: the tables are not read right"
    for file, what, word in looked_for:
        if not pages[file].has(word):
            yield f"{file}: does not mention the {what} {word}"
    for page in pages.values():
        for name, number in re.findall(r"^\.Xr (imgstore\S*) (\d)", page.source, re.M):
            if f"{name}.{number}" not in pages:
                yield f"{page.file}: refers to {name}({number}), which there is not"


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    found = list(findings(sys.argv[1], sys.argv[2:]))
    print("\n".join(found) if found else "the manual leaves nothing out")
    sys.exit(1 if found else 0)


main()
