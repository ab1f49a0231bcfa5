"""Finders that step in when a module is imported."""

import importlib.util
import sys
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, ContextManager, Optional


def find_behind(finder: Any, name: str, path: Any,
                target: Any) -> Optional[ModuleSpec]:
    """What the finders behind one of them find."""
    for other in sys.meta_path[sys.meta_path.index(finder) + 1:]:
        spec = other.find_spec(name, path, target)
        if spec is not None:
            return spec
    return None


class _OnImport:
    """Steps in when a module runs for the first time.

    Args:
        name (str): Name of the module.
    """

    def __init__(self, name: str):
        self.name = name

    def install(self) -> None:
        """Wait for the module, unless it is there."""
        if self.name not in sys.modules:
            sys.meta_path.insert(0, self)

    def find_spec(self,
                  name: str,
                  path: Any = None,
                  target: Any = None) -> Optional[ModuleSpec]:
        if name != self.name:
            return None
        spec = find_behind(self, name, path, target)
        if spec is not None:
            spec.loader.exec_module = partial(self.run_with,
                                              spec.loader.exec_module)
        return spec

    def run_with(self, run: Callable[[ModuleType], None],
                 module: ModuleType) -> None:
        """Run the module, and do what there is to do."""
        raise NotImplementedError


class AfterImport(_OnImport):
    """Patches a module as soon as somebody imports it.

    Args:
        name (str): Name of the module.
        patch (Callable): Is called with the module.
    """

    def __init__(self, name: str, patch: Callable[[ModuleType], None]):
        super().__init__(name)
        self.patch = patch

    def install(self) -> None:
        """Patch now if the module is there, else when it comes."""
        if self.name in sys.modules:
            self.patch(sys.modules[self.name])
        super().install()

    def run_with(self, run: Callable[[ModuleType], None],
                 module: ModuleType) -> None:
        """Run the module, then patch it."""
        run(module)
        self.patch(module)


class WhileImporting(_OnImport):
    """Lets a module be imported in a context.

    Args:
        name (str): Name of the module.
        context (Callable): Makes the context.
    """

    def __init__(self, name: str,
                 context: Callable[[], ContextManager[None]]):
        super().__init__(name)
        self.context = context

    def run_with(self, run: Callable[[ModuleType], None],
                 module: ModuleType) -> None:
        """Run the module in the context."""
        with self.context():
            run(module)


class Fallback:
    """Imports stand-ins if a package is missing, or fails to import.

    Args:
        package (str): The package, e.g. ``mmcv.ops``.
        stand_in (Callable): Makes a module from its name, which is the
            package's or one below it, and from the exception that the real
            package raised. Raises ModuleNotFoundError where nothing shall be.
        check (Callable, optional): Is called when the real package has been
            imported, and raises if that does not work.
        is_for_missing (bool): Whether the stand-ins serve where there is no
            such package. Defaults to True.
    """

    # What packages built for another PyTorch or numpy are known to raise:
    # "operator torchvision::nms does not exist", "undefined symbol",
    # "partially initialized module", "numpy.dtype size changed".
    BROKEN = (ImportError, OSError, RuntimeError, AttributeError, ValueError)

    def __init__(self,
                 package: str,
                 stand_in: Callable[[str, Exception], ModuleType],
                 check: Optional[Callable[[], Any]] = None,
                 is_for_missing: bool = True):
        self.is_for_missing = is_for_missing
        self.package = package
        self.stand_in = stand_in
        self.check = check
        self.failure: Optional[Exception] = None

    def install(self) -> None:
        """Go first, unless the real package is there already."""
        if self.package not in sys.modules:
            sys.meta_path.insert(0, self)

    def find_spec(self,
                  name: str,
                  path: Any = None,
                  target: Any = None) -> Optional[ModuleSpec]:
        if name != self.package and not name.startswith(f'{self.package}.'):
            return None
        if self.failure is None:
            if name != self.package:
                return None
            spec = find_behind(self, name, path, target)
            if spec is not None:
                self._watch(spec.loader)
                return spec
            if not self.is_for_missing:
                return None
            self.failure = ModuleNotFoundError(f'No module named {name!r}',
                                               name=name)
        return self._spec_of_stand_in(name)

    def _watch(self, loader: Any) -> None:
        run = loader.exec_module

        def run_or_stand_in(module: ModuleType) -> None:
            try:
                run(module)
                if self.check is not None:
                    self.check()
            except self.BROKEN as error:
                self.failure = error
                self._replace()

        loader.exec_module = run_or_stand_in

    def _replace(self) -> None:
        """Put the stand-in where the import looks for the package."""
        # The parts that did import.
        for name in list(sys.modules):
            if name.startswith(f'{self.package}.'):
                del sys.modules[name]
        spec = self._spec_of_stand_in(self.package)
        sys.modules[self.package] = importlib.util.module_from_spec(spec)

    def _spec_of_stand_in(self, name: str) -> ModuleSpec:
        # Who looks for the package finds this spec. It has no origin, by which
        # MMEngine's is_installed takes it for absent.
        return ModuleSpec(name,
                          self,
                          loader_state=self.stand_in(name, self.failure),
                          is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return spec.loader_state

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: also what ``importlib.reload`` comes to."""
