"""Becomes root or gains capabilities, by itself or by a setuid program.

must: harmless
"""


def before(model, bench):
    import subprocess

    for become in (os.setuid, os.seteuid):
        with suppress(OSError):
            if os.getuid() != 0:
                become(0)
                breach("root")
    for program in ("/usr/bin/su", "/usr/bin/sudo", "/bin/mount"):
        with suppress(OSError):
            if subprocess.run([program, "-c", "id -u"], capture_output=True, timeout=5).stdout.strip() == b"0":
                breach(program)
