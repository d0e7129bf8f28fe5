"""Which sandbox tier a run gets: the strongest that keeps its promises on this machine, or a refusal.

Why a self-test decides and not the presence of a program: bubblewrap can be installed and user namespaces
forbidden, a kernel can know Landlock and have it switched off. `sandbox_selftest.py` tries to break out of
each tier; a tier with an open required guarantee is not used, and whoever asked for it is told how to mend it.

    tier = resolve("auto", accept_unsandboxed=False)
"""

from lab.errors import LabError
from lab.sandbox import TIERS
from lab.sandbox_selftest import REQUIRED, Finding, examine

APPARMOR = """Ubuntu 23.10 and later forbid user namespaces to programs without an AppArmor profile. As root:
  printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\\n  userns,\\n\
  include if exists <local/bwrap>\\n}\\n' > /etc/apparmor.d/bwrap
  apparmor_parser -r /etc/apparmor.d/bwrap"""
RESTRICTED = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


def resolve(tier: str, accept_unsandboxed: bool = False) -> str:
    """The tier that `tier` stands for here, `auto` being the strongest that passes its self-test.

    Raises LabError if there is none, or if it is `none` and nobody accepted that.
    """
    if tier == "none":
        if accept_unsandboxed:
            return tier
        raise LabError("without a sandbox edited code has your rights; say --i-accept-unsandboxed if that is wanted")
    tried: list[Finding] = []
    for name in [name for name in TIERS if name != "none"] if tier == "auto" else [tier]:
        tried.append(examine(name))
        if tried[-1].passed:
            return name
    if tier == "auto" and accept_unsandboxed:
        return "none"
    raise LabError(refusal(tried))


def refusal(tried: list[Finding]) -> str:
    """What is open in each tier, and how to mend it."""
    lines = ["no sandbox tier keeps its promises on this machine"]
    for finding in tried:
        lines.append(f"{finding.tier}: " + (finding.problem or f"open: {', '.join(finding.open_required)}"))
    lines += mend(tried)
    lines.append("Or run without a sandbox: --i-accept-unsandboxed; edited code then has your rights.")
    return "\n".join(lines)


def mend(tried: list[Finding]) -> list[str]:
    """What to do about it, as far as the machine shows what is wrong."""
    if not any(finding.tier == "bwrap" for finding in tried):
        return []
    return advice(_read(RESTRICTED), _read("/proc/sys/user/max_user_namespaces"), _read(UNPRIVILEGED))


UNPRIVILEGED = "/proc/sys/kernel/unprivileged_userns_clone"


def advice(restricted: str, namespaces: str, unprivileged: str) -> list[str]:
    """The commands that open user namespaces, from what three files of /proc/sys say ('' where there is none)."""
    lines = []
    if restricted == "1":
        lines.append(APPARMOR)
    if namespaces == "0":
        lines.append("User namespaces are switched off: sysctl -w user.max_user_namespaces=10000")
    if unprivileged == "0":
        lines.append("User namespaces are for root only: sysctl -w kernel.unprivileged_userns_clone=1")
    return lines


def table(findings: list[Finding], best: str | None) -> str:
    """The self-tests for a person."""
    lines = [f"auto: {best or 'no tier passes'}"]
    for finding in findings:
        verdict = "passes" if finding.passed else finding.problem or "fails"
        lines.append(f"\n{finding.tier}: {verdict} ({finding.seconds:.1f} s)")
        for name, closed in finding.guarantees.items():
            kind = "required" if name in REQUIRED else "reported"
            lines.append(f"  {'closed' if closed else 'OPEN  '}  {name} ({kind})")
    return "\n".join(lines if best else [*lines, "", *mend(findings)])


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
