"""Prints, for each file of Swift that it is given, the lines that the grammar does not know, as JSON."""

import json
import sys

import tree_sitter_swift
from tree_sitter import Language, Parser

parser = Parser(Language(tree_sitter_swift.language()))


def wrong(node):
    if node.is_error or node.is_missing:
        yield node.start_point[0]
    for child in node.children:
        yield from wrong(child)


def wrong_lines(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = text.splitlines()
    return [lines[number].strip() for number in sorted(set(wrong(parser.parse(text.encode()).root_node)))]


print(json.dumps({path: wrong_lines(path) for path in sys.argv[1:]}))
