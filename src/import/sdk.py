"""Loads a Python file as the Flyte SDK does, and prints the apps it declares as one JSON document.

The one argument is a JSON object: `file` and `root` (absolute), `variable` (or null), `project`, `domain`, `org`,
`images` (references by name, from the SDK's configuration). Each app is translated by the SDK itself.
What the file prints goes to stderr.
"""

import base64
import dataclasses
import glob
import importlib.util
import json
import traceback


class Refused(Exception):
    """What the user is told; `kind` is for the caller."""

    def __init__(self, kind, message, detail=""):
        super().__init__(message)
        self.kind, self.detail = kind, detail


class Untranslated(Exception):
    """Why an app has no message, in the words of a user."""


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


class Tree:
    """The user's files as they are after the main one was loaded, and what all its apps share."""

    def __init__(self, request, variables, context):
        self.file, self.root = pathlib.Path(request["file"]), pathlib.Path(request["root"])
        self.images, self.variables, self.context = request["images"], variables, context
        self.modules, self.packed = loaded(self.root), packed(self.root)
        self.paths = told_paths(self.root, self.packed)

    def held(self, environment):
        return held(environment, self.modules, self.file, self.root)

    def translate(self, environment):
        """The message, as the SDK makes it, and what its parameters ask for."""
        from flyte._internal.resolvers import app_env
        from flyte.app._runtime.app_serde import translate_app_env_to_idl

        def place(environment, _):
            found = self.held(environment)
            if found is None:
                raise RuntimeError("no variable holds it")
            return found[1], found[0]

        app_env.extract_app_env_module = place
        environment.env_vars = {**(environment.env_vars or {}), **self.paths}
        asked, parameters = {}, []
        for parameter in environment.parameters:
            question = delayed(parameter)
            if question is not None:
                asked[parameter.name] = question[:2]
                parameter = dataclasses.replace(parameter, value=question[2])
            parameters.append(parameter)
        message = translate_app_env_to_idl(environment, self.context, parameter_overrides=parameters)
        return base64.b64encode(message.SerializeToString(deterministic=True)).decode(), asked

    def image(self, environment):
        """Puts in the reference that the configuration gives a name, and says whether the SDK builds the image."""
        import flyte

        image = environment.image
        if image == "auto":
            if "default" in self.images:
                environment.image = self.images["default"]
                return False
            image = flyte.Image.from_debian_base()
        if not isinstance(image, flyte.Image):
            return False
        name = getattr(image, "_ref_name", None)
        if name is not None:
            if name not in self.images:
                known = ", ".join(f"`{known}`" for known in sorted(self.images)) or "none"
                raise Untranslated(
                    f"its image is called `{name}`, and `image.image_refs` of the SDK's configuration names {known}"
                )
            if not image._layers:
                environment.image = self.images[name]
                return False
            environment.image = image = image.clone(base_image=self.images[name])
            object.__setattr__(image, "_ref_name", None)
        return image.uri != image.base_image

    def included(self, environment):
        """The entries of `include` below the root, and what is wrong with the others. Source: `ls_files` of the SDK."""
        named, wrong = [], []
        for entry in environment.include or ():
            path = self.anchor(environment) / entry
            matches = [path] if path.exists() else [pathlib.Path(match) for match in glob.glob(str(path))]
            name = relative(path, self.root)
            if name is None or any(not match.resolve().is_relative_to(self.root.resolve()) for match in matches):
                wrong.append(f"`{entry}` lies outside {self.root}, the directory that all code is packed from")
            elif not matches:
                wrong.append(f"there is no `{name}`: `{entry}` is no file, no directory and no pattern of any")
            else:
                named.append(name)
        return named, wrong

    def anchor(self, environment):
        """The directory that relative entries begin in. What was made by cloning has the entries of its original, and
        the SDK takes it for declared in the module that clones."""
        from flyte._environment import list_loaded_environments

        same = [environment, *(other for other in list_loaded_environments() if other.include is environment.include)]
        files = (pathlib.Path(other._declaring_file) for other in same if other._declaring_file)
        of_users = (file for file in files if not is_installed_file(file))
        return next(of_users, self.file).parent

    def subdomain(self, environment):
        """What the SDK makes a subdomain from, where it differs between projects and domains."""
        from flyte import app

        made = environment.domain and environment.domain.subdomain
        if not isinstance(made, getattr(app, "Subdomain", ())) or made.app_name is None:
            return None
        suffix = made.project_domain_suffix
        return {"app_name": made.app_name, **({} if suffix == "hash" else {"project_domain_suffix": suffix})}

    def described(self, environment, apps):
        names = {app.name for app in apps}
        found = {
            "name": environment.name,
            "variables": sorted(name for name, value in self.variables.items() if value is environment),
            "depends_on": [other.name for other in environment.depends_on or [] if other.name in names],
        }
        unsaid = [
            ["depends_on", f"`{other.name}` is no app", False]
            for other in environment.depends_on or []
            if other.name not in names
        ]
        try:
            if self.image(environment):
                why = "the SDK builds this image: the manifest names it, and it must be built and pushed before"
                unsaid.append(["spec.container.image", why, False])
            message, asked = self.translate(environment)
            include, wrong = self.included(environment)
            subdomain = self.subdomain(environment)
        except Untranslated as error:
            return {**found, "untranslated": str(error)}
        except BaseException as error:
            return {**found, "untranslated": f"the SDK cannot translate it: {type(error).__name__}: {error}"}
        unsaid += [["include", why, True] for why in wrong]
        serves = environment._server is not None
        if serves and environment.command is None and self.held(environment) is None:
            why = "no variable of a module holds it, and Flyte's starter finds what it serves by one: assign it to one"
            unsaid.append(["spec.container.command", why, True])
        return {
            **found,
            "message": message,
            "include": include,
            "serves": serves,
            "asked": asked,
            "subdomain": subdomain,
            "unsaid": unsaid,
        }


def collect(request):
    # `python -c` looks for modules in the working directory first, before those that are installed.
    sys.path[:] = [path for path in sys.path if path != ""]
    try:
        import flyte
        from flyte import _utils
        from flyte.app import AppEnvironment
        from flyte.models import SerializationContext
    except ImportError as error:
        raise Refused("sdk", f"the Flyte SDK is not there: {error}", sys.executable) from error
    root, file = pathlib.Path(request["root"]), pathlib.Path(request["file"])
    module = load(file, root)
    # A file that initialises the SDK would have it tell apps the whole path of this machine.
    _utils.local_sys_paths_env = lambda _: {}
    variables, environments = declared(module, request["variable"], AppEnvironment)
    apps = [environment for environment in environments if isinstance(environment, AppEnvironment)]
    context = SerializationContext(
        project=request["project"], domain=request["domain"], org=request["org"], version="", root_dir=root
    )
    tree = Tree(request, variables, context)
    return {"sdk": flyte.version(), "modules": tree.packed, "apps": [tree.described(app, apps) for app in apps]}


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
