"""Which modules of the user's own there are, by their files, and under which names the starter finds them."""

import ast
import functools
import os
import pathlib
import site
import sys


def relative(path, root):
    """Below the root, with slashes. None for a path elsewhere."""
    try:
        return pathlib.Path(os.path.abspath(path)).relative_to(root).as_posix()
    except ValueError:
        return None


@functools.cache
def installed():
    """Where the interpreter and what is installed lie: no code of the user's."""
    import flyte

    places = [os.path.dirname(flyte.__file__), sys.prefix, sys.base_prefix, site.getusersitepackages()]
    return [pathlib.Path(place).resolve() for place in [*places, *site.getsitepackages()]]


@functools.cache
def is_own(path, root):
    """Whether it is a file of the user's, links followed. As the SDK tells them apart."""
    try:
        path = pathlib.Path(path).resolve()
        inside = path.is_relative_to(root.resolve()) and path.is_file()
    except OSError:
        return False
    return inside and not is_installed_file(path)


def is_installed_file(path):
    return any(path.resolve().is_relative_to(place) for place in installed())


def loaded(root):
    """The user's modules that are loaded: what each file has made of itself, once or more, by its path."""
    found = {}
    for module in list(sys.modules.values()):
        try:
            # As it is: a lazy module is not to be loaded by being asked.
            names = object.__getattribute__(module, "__dict__")
        except AttributeError:
            continue
        file = names.get("__file__")
        # Whether it is packed plays no part: it may lie in the image.
        if isinstance(file, str) and relative(file, root) is not None:
            found.setdefault(os.path.abspath(file), []).append(names)
    return found


def held(environment, modules, main, root):
    """The module and the variable by which an environment is found again, or None.

    First in the file that declares it, then in the main one. The SDK takes another variable of the file where none is it.
    """
    declaring = environment._caller_frame and os.path.abspath(environment._caller_frame.filename)
    for path in sorted(modules, key=lambda path: (path != declaring, path != str(main), path)):
        module = pathlib.PurePath(relative(path, root)).with_suffix("").as_posix()
        if "." in module:
            continue
        for names in modules[path]:
            for name, value in names.items():
                if value is environment:
                    return module.replace("/", "."), name
    return None


def packed(root):
    """The files of the modules that are loaded, and of those that they import later: in functions, under conditions.

    Read from the text: which tools are installed here does not matter.
    """
    from flyte._code_bundle._utils import list_imported_modules_as_files

    open_files = [os.path.abspath(file) for file in list_imported_modules_as_files(str(root), list(sys.modules.values()))]
    places = [root, root / "src", *paths_below(root)]
    found = set()
    while open_files:
        path = open_files.pop()
        if path not in found:
            found.add(path)
            open_files.extend(imported(pathlib.Path(path), root, places))
    return sorted({path for path in (relative(file, root) for file in found) if path is not None})


def imported(path, root, places):
    """The user's files that a file imports, wherever in it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [(places, alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            around = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else places
            wanted = [(around, [*module, alias.name]) for alias in node.names]
        else:
            continue
        for around, name in wanted:
            files = [file for place in around for file in files_of(place, name, root)]
            if not files and around is places and not is_installed(name[0]):
                files = [file for place in packages(root).get(name[0], ()) for file in files_of(place, name, root)]
            yield from files


def files_of(place, name, root):
    """What `import a.b.c` runs, and what tells its types: the packages above it too."""
    for length in range(1, len(name) + 1):
        stem = place.joinpath(*name[:length])
        inside = [stem / "__init__.py", stem / "__init__.pyi"]
        for file in [*inside, stem.with_name(stem.name + ".py"), stem.with_name(stem.name + ".pyi")]:
            if is_own(str(file), root):
                yield str(file)


def is_installed(name):
    return name in sys.builtin_module_names or name in sys.stdlib_module_names or name in sys.modules


@functools.cache
def packages(root):
    """Where packages lie that are not found from the usual places: a program may add those when it runs."""
    found = {}
    for directory, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in ("node_modules", "venv"))
        if "pyvenv.cfg" in files:
            inner.clear()
        elif "__init__.py" in files and not os.path.exists(os.path.join(directory, "..", "__init__.py")):
            path = pathlib.Path(directory)
            found.setdefault(path.name, []).append(path.parent)
    return found


def paths_below(root):
    """The entries of `sys.path` below the root, each once: not the root, which the starter adds itself, nor the
    interpreter's own, which are not packed."""
    own = pathlib.Path(sys.prefix)
    below = [path for path in map(pathlib.Path, sys.path) if root in path.parents and not path.is_relative_to(own)]
    return list(dict.fromkeys(below))


def told_paths(root, files):
    """The variable in which the SDK tells them to apps: those that something packed lies below, so that what else is
    on the path of this machine plays no part."""
    from flyte._constants import FLYTE_SYS_PATH

    below = [path.relative_to(root).as_posix() for path in paths_below(root)]
    used = [path for path in below if any(file.startswith(f"{path}/") for file in files)]
    return {FLYTE_SYS_PATH: ":".join(f"./{path}" for path in used)} if used else {}
