"""Loads a Python file as the Flyte SDK does, and prints the apps it declares as one JSON document.

The one argument is a JSON object: `file` and `root` (absolute), `variable` (or null), `project`, `domain`, `org`.
Each app is translated by the SDK itself. What the file prints goes to stderr.
"""

import base64
import dataclasses
import importlib.util
import json
import os
import pathlib
import sys
import traceback


class Refused(Exception):
    """What the user is told; `kind` is for the caller."""

    def __init__(self, kind, message, detail=""):
        super().__init__(message)
        self.kind, self.detail = kind, detail


def load(file, root):
    """The module, under its bare name as the SDK has it, and under the name it has below the root."""
    name = file.stem
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise Refused("load", f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.modules[dotted(file, root)] = module
    sys.path.extend([str(root), str(file.parent)])
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # The file may do anything, exit included.
        raise Refused("load", f"{file} cannot be loaded: {type(error).__name__}: {error}", last_lines()) from error
    return module


def dotted(file, root):
    try:
        return file.relative_to(root).with_suffix("").as_posix().replace("/", ".")
    except ValueError:
        return file.stem


def last_lines():
    return "".join(traceback.format_exc().splitlines(keepends=True)[-12:])


def declared(module, variable, kind):
    """The environments asked for, and what they depend on, each after its dependencies."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, kind)}
    if variable is not None and variable not in found:
        raise Refused("variable", f"`{variable}` is no app environment", ", ".join(sorted(found)))
    chosen = [found[variable]] if variable is not None else list(found.values())
    if not chosen:
        raise Refused("variable", "the file declares no app environment")
    order = []

    def visit(environment, above):
        if any(environment is known for known in order + above):
            return
        for other in environment.depends_on or []:
            visit(other, above + [environment])
        order.append(environment)

    for environment in chosen:
        visit(environment, [])
    return found, order


def relative(path, root):
    """Below the root, with slashes. None for a path elsewhere."""
    try:
        return pathlib.Path(os.path.abspath(path)).relative_to(root).as_posix()
    except ValueError:
        return None


def delayed(parameter):
    """The question that a parameter asks when it is deployed, and a value that stands for the answer."""
    import flyte.io
    from flyte.app import ArtifactValue, RunOutput

    value = parameter.value
    if isinstance(value, RunOutput):
        key, names = "run_output", ["type", "run_name", "task_name", "task_version", "task_auto_version"]
    elif isinstance(value, ArtifactValue):
        key, names = "artifact", ["name", "version", "project", "domain", "type"]
    else:
        return None
    table = {name: getattr(value, name) for name in names if getattr(value, name, None) is not None}
    getter = list(getattr(value, "getter", None) or [])
    if getter and getter != [0]:
        table["getter"] = getter
    answer = f"asked:{parameter.name}"
    if value.type == "file":
        answer = flyte.io.File(path=answer)
    elif value.type != "string":
        answer = flyte.io.Dir(path=answer)
    return key, table, answer


def translated(environment, context):
    from flyte.app._runtime.app_serde import translate_app_env_to_idl

    asked, parameters = {}, []
    for parameter in environment.parameters:
        question = delayed(parameter)
        if question is not None:
            asked[parameter.name] = question[:2]
            parameter = dataclasses.replace(parameter, value=question[2])
        parameters.append(parameter)
    try:
        message = translate_app_env_to_idl(environment, context, parameter_overrides=parameters)
    except BaseException as error:
        problem = f"the SDK cannot translate `{environment.name}`: {type(error).__name__}: {error}"
        raise Refused("translate", problem, last_lines()) from error
    return base64.b64encode(message.SerializeToString(deterministic=True)).decode(), asked


def paths_below(root):
    """The entries of `sys.path` below the root, as the SDK tells them to apps, each once.

    Not the root, which the starter adds itself, nor the interpreter's own, which are not packed.
    """
    from flyte._constants import FLYTE_SYS_PATH

    root, own = root.resolve(), pathlib.Path(sys.prefix)
    below = [path for path in map(pathlib.Path, sys.path) if root in path.parents and not path.is_relative_to(own)]
    value = ":".join(dict.fromkeys(f"./{path.relative_to(root).as_posix()}" for path in below))
    return {FLYTE_SYS_PATH: value} if value else {}


def described(environment, context, variables, root, apps):
    import flyte

    environment.env_vars = {**(environment.env_vars or {}), **paths_below(root)}
    message, asked = translated(environment, context)
    unsaid, include = [], []
    for entry in environment.include or ():
        anchor = pathlib.Path(environment._declaring_file).parent if environment._declaring_file else root
        path = relative(anchor / entry, root)
        if path is None:
            unsaid.append(["metadata.code_bundle_uri", f"`{entry}` of `include` lies outside {root}"])
        else:
            include.append(path)
    image = environment.image
    if isinstance(image, flyte.Image) and len(getattr(image, "_layers", ())) > 0:
        why = "the SDK builds this image: the manifest names it, and it must be built and pushed before"
        unsaid.append(["spec.container.image", why])
    names = {app.name for app in apps}
    for other in environment.depends_on or []:
        if other.name not in names:
            unsaid.append(["depends_on", f"`{other.name}` is no app"])
    return {
        "name": environment.name,
        "variables": sorted(name for name, value in variables.items() if value is environment),
        "message": message,
        "depends_on": [other.name for other in environment.depends_on or [] if other.name in names],
        "include": include,
        "serves": environment._server is not None,
        "asked": asked,
        "unsaid": unsaid,
    }


def collect(request):
    # `python -c` looks for modules in the working directory first, before those that are installed.
    sys.path[:] = [path for path in sys.path if path != ""]
    try:
        import flyte
        from flyte.app import AppEnvironment
        from flyte.models import SerializationContext
    except ImportError as error:
        raise Refused("sdk", f"the Flyte SDK is not there: {error}", sys.executable) from error
    root, file = pathlib.Path(request["root"]), pathlib.Path(request["file"])
    module = load(file, root)
    variables, environments = declared(module, request["variable"], AppEnvironment)
    apps = [environment for environment in environments if isinstance(environment, AppEnvironment)]
    context = SerializationContext(
        project=request["project"], domain=request["domain"], org=request["org"], version="", root_dir=root
    )
    described_apps = [described(app, context, variables, root, apps) for app in apps]
    from flyte._code_bundle._utils import list_imported_modules_as_files

    loaded = list_imported_modules_as_files(str(root), list(sys.modules.values()))
    modules = sorted({path for path in (relative(file, root) for file in loaded) if path is not None})
    return {"sdk": flyte.version(), "modules": modules, "apps": described_apps}


def main():
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        answer = collect(json.loads(sys.argv[1]))
    except Refused as refused:
        answer = {"refused": {"kind": refused.kind, "message": str(refused), "detail": refused.detail}}
    json.dump(answer, answer_to)
    answer_to.flush()
    sys.stderr.flush()
    # Threads and hooks of what was loaded have nothing more to do.
    os._exit(0)


main()
