"""Whether a config file is data."""

import ast
from pathlib import Path


def is_data(path: Path) -> bool:
    """Whether a config consists of literals and assignments alone."""
    body = ast.parse(path.read_text()).body
    if body and isinstance(body[0], ast.Expr):
        body = body[1:] if _is_literal(body[0].value) else body
    return all(
        isinstance(line, ast.Assign)
        and all(isinstance(target, ast.Name) for target in line.targets)
        and _is_literal(line.value)
        for line in body
    )


def _is_literal(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=value):
            return _is_literal(value)
        case ast.List(elts=values) | ast.Tuple(elts=values):
            return all(map(_is_literal, values))
        case ast.Dict(keys=keys, values=values):
            return None not in keys and all(map(_is_literal, keys + values))
        case ast.Call(func=ast.Name(id='dict'), args=args, keywords=pairs):
            values = [pair.value for pair in pairs]
            named = all(pair.arg for pair in pairs)
            return named and all(map(_is_literal, args + values))
        case ast.Call(func=ast.Name(id='float'), args=args, keywords=[]):
            return all(map(_is_literal, args))
    return False
