"""Real clients, as programs that are installed: run, and talked to in TLS."""
import os
import re
import shutil
import subprocess


def need(program):
    if shutil.which(program) is None:
        print(f"SKIPPED: {program} is not installed", flush=True)
        return False
    return True


def client(*args, text=None, status=0, seconds=120, **env):
    """What it says, line ends as they are; it must end with that status."""
    p = subprocess.run([str(a) for a in args],
                       input=None if text is None else text.encode(),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=seconds, env=dict(os.environ, **env))
    out = p.stdout.decode(errors="replace")
    if p.returncode != status:
        raise AssertionError(f"{args}: {p.returncode}\n{out}")
    return out


def common_name(cert):
    """Whom a certificate is for."""
    return re.search(r"commonName *= (.*)", client(
        "openssl", "x509", "-in", cert, "-noout", "-subject", "-nameopt",
        "multiline"))[1].strip()


def s_client(port, *flags):
    """openssl's: its pipes are the client's lines, once TLS stands."""
    return subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet",
         "-verify_quiet", "-CAfile", os.environ["CG_CA"], *flags], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
