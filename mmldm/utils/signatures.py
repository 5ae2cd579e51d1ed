"""Arguments of constructors."""

import inspect


def arguments_of(cls: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters of a constructor, and whether it accepts any name.

    ``**kwargs`` is followed to the base class, as our classes use it.
    """
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                found.setdefault(p.name, p)
        if all(p.kind != p.VAR_KEYWORD for p in parameters):
            break
    else:
        return found, any('__init__' in vars(b) for b in cls.__mro__[:-1])
    return {k: v for k, v in found.items() if k != 'self'}, False
