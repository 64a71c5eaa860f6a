"""errors.py holds every error of the service and draws all of them."""

import ast
import builtins
from pathlib import Path

from service import errors

SERVICE = Path(errors.__file__).parent


def drawn() -> dict[str, str]:
    """Each error of the drawing with the one it hangs from."""
    found: dict[str, str] = {}
    branch: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        branches, _, rest = line.rpartition("── ")
        name = rest.split()[0] if rest.split() else ""
        if not isinstance(getattr(errors, name, None), type):
            continue
        depth = (len(branches) + 3) // 4
        branch[depth:] = [name]
        found[name] = branch[depth - 1] if depth else "Exception"
    return found


def test_the_tree_draws_every_error_below_its_parent() -> None:
    classes = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    defined = {name: kind for name, kind in classes.items() if issubclass(kind, BaseException)}

    tree = drawn()

    assert tree.keys() == defined.keys()
    assert {
        name for name, parent in tree.items() if parent not in {base.__name__ for base in defined[name].__bases__}
    } == set()


def test_no_error_is_defined_anywhere_else() -> None:
    elsewhere = [
        f"{path.relative_to(SERVICE)}: {node.name}"
        for path in SERVICE.rglob("*.py")
        # The simulator stands for the vendors: what it raises is theirs, and never leaves it.
        if path.name != "errors.py" and "simulator" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any(_is_error(ast.unparse(base)) for base in node.bases)
    ]

    assert elsewhere == []


def _parents(kind: type) -> set[str]:
    return {base.__name__ for base in kind.__bases__}


def _is_error(base: str) -> bool:
    kind = getattr(errors, base, None) or getattr(builtins, base, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)


def test_clients_that_are_refused_together_are_not_told_to_come_back_together() -> None:
    told = {errors.Overloaded().retry_after for _ in range(300)}

    assert len(told) > 3
