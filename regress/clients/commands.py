#!/usr/bin/env python3
# suite: -c $TOP/regress/clients/clients.conf
"""`sendmail -t`, `mail -s` and their like from a shell."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import accounts, address, messages, run  # noqa: E402

HERE = tempfile.TemporaryDirectory()
count = 0


def shell(line, status=0):
    p = subprocess.run(["sh", "-c", line], text=True, capture_output=True,
                       timeout=60, env=dict(
                           os.environ, BOB=address("bob"),
                           PATH=HERE.name + ":" + os.environ["PATH"]))
    if p.returncode != status:
        raise AssertionError(f"{line}: {p.returncode}\n{p.stdout}{p.stderr}")


def arrived(*words):
    global count
    count += 1
    text = messages("bob", count)[-1].decode()
    for w in words:
        assert w in text, (w, text)
    return text


def test_sendmail():
    shell(r"printf 'To: %s\nSubject: t\nBcc: nobody@far.example\n\nby -t\n' "
          r'"$BOB" | sendmail -t nobody@far.example')
    text = arrived("Subject: t\n", "\n\nby -t\n", "\nDate: ", "To: ")
    assert "Bcc" not in text, text
    shell("printf 'Subject: a\\n\\nby address\\n.\\nmore\\n' | "
          'sendmail -i -f ann@x.example "$BOB"')
    arrived("\n\nby address\n.\nmore\n")
    shell("printf 'Subject: a\\n\\nup to the dot\\n.\\nmore\\n' | "
          'sendmail "$BOB"')
    assert "more" not in arrived("up to the dot")
    shell("printf 'Subject: F\\n\\nx\\n' | sendmail -F 'Ann Other' \"$BOB\"")
    arrived("Ann Other")


def test_mail():
    shell("echo 'by mail' | mail -s 'a subject' \"$BOB\"")
    arrived("Subject: a subject\n", "by mail\n")
    shell("echo 'copies' | mail -s c -c \"$BOB\" -b \"$BOB\" \"$BOB\"")
    assert "Bcc" not in arrived("copies")


def test_bs():
    shell('printf "EHLO x\\r\\nMAIL FROM:<a@b.com>\\r\\nRCPT TO:<$BOB>\\r\\n'
          'DATA\\r\\nSubject: bs\\r\\n\\r\\nby -bs\\r\\n.\\r\\nQUIT\\r\\n" '
          "| sendmail -bs")
    arrived("by -bs")


accounts("bob")
cgmail = os.path.join(os.environ["CG_OBJ"], "cgmail")
for name in ("mail", "sendmail", "mailq"):
    os.symlink(cgmail, os.path.join(HERE.name, name))
run([test_sendmail, test_mail, test_bs])
