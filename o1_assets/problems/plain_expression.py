"""Which answers may be shown to sympy.parse_expr, which evaluates what it reads."""

from __future__ import annotations

import ast

_NAMES = "sin cos tan cot sec csc asin acos atan sinh cosh tanh exp log ln sqrt Abs"


_CALLS = frozenset(_NAMES.split())


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub)


_LONGEST = 500


_LARGEST_EXPONENT = 1_000


def is_plain_expression(text: str) -> bool:
    """Numbers, short names, + - * / **, and calls of common functions: no attribute, no text, no index.

    >>> is_plain_expression("2*x**3 + sin(x)"), is_plain_expression("__import__('os')")
    (True, False)
    """
    if len(text) > _LONGEST:
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_plain(node) for node in ast.walk(tree))


def _plain(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=ast.Pow(), right=exponent):
            return all(not isinstance(n, ast.Pow) and _small(n) for n in ast.walk(exponent))
        case ast.Expression() | ast.BinOp() | ast.UnaryOp() | ast.Load():
            return True
        case ast.Constant(value=value):
            return type(value) in (int, float)
        case ast.Name(id=name):
            return name in _CALLS or (len(name) <= 8 and name.isalpha())
        case ast.Call(func=ast.Name(id=name), args=[_], keywords=[]):
            return name in _CALLS
    return isinstance(node, _OPERATORS)


def _small(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else 0
    return isinstance(value, int | float) and value <= _LARGEST_EXPONENT
