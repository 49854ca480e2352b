"""Import functions named as ``module:function``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from velour_plugin.errors import InvalidInput, NotFound, UnknownName


def function_named(name: str) -> Callable[..., Any]:
    """Import and return a function by ``module:function``, from the working directory as well.

    Raises:
        NotFound: there is no such module.
        UnknownName: the module has no such function.
        InvalidInput: the module cannot be imported, or its attribute is no function.
    """
    module_name, _, path = name.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = target = import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise InvalidInput(f"{name!r}: {module_name} needs {error.name}: {error}.") from error
        raise NotFound(
            f"{name!r}: there is no module {error.name!r}, neither installed nor in {os.getcwd()}."
        ) from error
    except Exception as error:
        raise InvalidInput(f"{name!r}: importing {module_name} failed: {error!r}.") from error
    for part in path.split("."):
        if not hasattr(target, part):
            functions = [key for key, value in vars(module).items() if callable(value)]
            raise UnknownName(f"function of {module_name}", path, functions)
        target = getattr(target, part)
    if not callable(target):
        raise InvalidInput(f"{name!r} is a {type(target).__name__}: expected a function.")
    return target
