"""The variant that fits this machine, with everything that speaks for and against each."""

from collections.abc import Mapping

from buildlock.errors import UnknownVariantError
from buildlock.host.accelerators import Choice, choose_for
from buildlock.host.detection import Machine, detect_accelerators
from buildlock.project.model import Project
from buildlock.reporting import Noted, Reporter
from buildlock.values import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """What the machine has, and the variant that follows from it."""

    machine: Machine
    choice: Choice


def detect(project: Project, environ: Mapping[str, str]) -> Detection:
    """Ask the machine what it has, and judge every variant of the project by it.

    Raises:
        UsageError: `BUILDLOCK_ACCELERATOR` names no accelerator.
    """
    machine = detect_accelerators(environ)
    return Detection(machine=machine, choice=choose_for(machine.accelerators, tuple(project.variants)))


def detect_variant(project: Project, environ: Mapping[str, str], report: Reporter) -> str:
    """The variant that fits the machine; `report` hears why.

    Raises:
        UnknownVariantError: None does.
        UsageError: `BUILDLOCK_ACCELERATOR` names no accelerator.
    """
    detection = detect(project, environ)
    findings = [
        *(f"found {each.what} ({each.where})" for each in detection.machine.accelerators),
        *map(str, detection.machine.missing),
        *(
            f"{each.variant} {'fits' if each.fits else 'does not fit'}: {each.why}"
            for each in detection.choice.verdicts
        ),
    ]
    if detection.choice.variant is None:
        lines = "\n".join(f"  - {line}" for line in findings)
        raise UnknownVariantError(
            f"`default-variant` is `auto`, and no variant of the project fits this machine:\n{lines}",
            hint="pass `--variant NAME`, or set `BUILDLOCK_VARIANT` or `BUILDLOCK_ACCELERATOR`",
        )
    for line in (*findings, f"so the variant is {detection.choice.variant}"):
        report(Noted(line))
    return detection.choice.variant
