#!/usr/bin/env python3
"""The sample session of chapter 16, word for word on the wire, and its other
samples; then the same with LF alone, in one piece, and with short names.  Of
the answers the code counts, and where the chapter shows one, the text."""
import os
import re
import socket

PORT = int(os.environ["CG_PWD"])
NAME, PASSWORD = os.environ["CG_ADMIN_NAME"], os.environ["CG_ADMIN_PASSWORD"]

# What the client says; what the server's line looks like.
SESSION = [
    (None, r"200 .*PWD Server .* ready.*"),
    (f"USER {NAME}", r"300 please send the PASS"),
    (f"PASS {PASSWORD}", r"200 login OK"),
    ('CreateAccount "user1"', r"200 OK"),
    ('CreateAccount "user1"', r"501 .*already exists.*"),
    ('RenameAccount "user1" into "user2"', r"200 OK"),
    ('CreateDomain "client1.com"', r"200 OK"),
    ('CreateAccount "user1@client1.com" TextMailbox', r"200 OK"),
    ("QUIT", r"200 .*PWD connection closed"),
]
UNDO = ["DeleteAccount user2", "DeleteDomain client1.com force"]
SHORT = [
    (None, r"200 .*"),
    (f"user {NAME}", r"300 .*"),
    (f"pass {PASSWORD}", r"200 login OK"),
    ("cracnt user1", r"200 OK"),
    ("CRACNT user1", r"501 .*already exists.*"),
    ("rnacnt user1 INTO user2", r"200 OK"),
    ("crdmn client1.com", r"200 OK"),
    ("cracnt user1@client1.com textmailbox", r"200 OK"),
    ("quit", r"200 .*PWD connection closed"),
]
# The other samples of the chapter, and of 43 and 47.
SAMPLES = [
    ('CreateDomain "domain1.com"', r"200 OK"),
    ('CreateAccount "user1@domain1.com"', r"200 OK"),
    ('GetAccountInfo "user1@domain1.com" Key LastLogin', r'201 ""'),
    ("getsnmpelement 1.3.6.1.4.1.5678.2.1.1.5.15",
     r"501 .*not available yet.*"),
    ('LIST MyList@mydomain.com FEED confirm "Bill Jones" '
     "<BJones@company.com>", r"501 .*not available yet.*"),
    ("Echo MyName", r"201 MyName"),
    ('Echo "My Name with spaces and the . sign"',
     r'201 "My Name with spaces and the \. sign"'),
    (r'Echo "a \"string\" within string"',
     r'201 "a \\"string\\" within string"'),
    (r'Echo "Single \\ backslash"', r'201 "Single \\\\ backslash"'),
    (r'Echo "Line1\eLine2"', r'201 "Line1\\eLine2"'),
    (r'Echo "Line1:\tField1\tField2\eLine2:\tField1\tField2"',
     r'201 "Line1:\\tField1\\tField2\\eLine2:\\tField1\\tField2"'),
    ('Echo (Element1 , "Element2" , "Element 3")',
     r'201 \(Element1,Element2,"Element 3"\)'),
    ('Echo (Element1 , ("Sub Element1", SubElement2) , "Element 3")',
     r'201 \(Element1,\("Sub Element1",SubElement2\),"Element 3"\)'),
    ('Echo {Key1=Element1; Key2 ="Element2" ; "Third Key"="Element 3"; }',
     r'201 \{Key1=Element1;Key2=Element2;"Third Key"="Element 3";\}'),
    ('Echo {Key1=(Elem1,Elem2); Key2={Sub1="XXX 1"; Sub2=X245;}; }',
     r'201 \{Key1=\(Elem1,Elem2\);Key2=\{Sub1="XXX 1";Sub2=X245;\};\}'),
    ('DeleteDomain "domain1.com" force', r"200 OK"),
]


class Wire:
    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", PORT), 60)
        self.f = self.s.makefile("rb")

    def put(self, text):
        self.s.sendall(text.encode())

    def line(self):
        return self.f.readline().decode()


def expect(said, got, pattern):
    if not got.endswith("\r\n") or not re.fullmatch(pattern, got[:-2]):
        raise AssertionError(f"C: {said}\nS: {got!r}, not {pattern}")


def play(session, end):
    w = Wire()
    for said, pattern in session:
        if said is not None:
            w.put(said + end)
        expect(said, w.line(), pattern)
    assert w.f.read() == b"", "QUIT does not end the connection"


def at_once(session):
    """All in one piece: answers come in order, one for each line."""
    w = Wire()
    w.put("".join(said + "\r\n" for said, _ in session if said is not None))
    for said, pattern in session:
        expect(said, w.line(), pattern)
    assert w.f.read() == b""


def login():
    w = Wire()
    for said, pattern in SESSION[:3]:
        if said is not None:
            w.put(said + "\n")
        expect(said, w.line(), pattern)
    return w


def ask(w, pairs):
    for said, pattern in pairs:
        w.put(said + "\r\n")
        expect(said, w.line(), pattern)


def undo():
    ask(login(), [(line, "200 OK") for line in UNDO])


def data_on_lines():
    """Without INLINE a result follows on lines of its own, CRLF after it."""
    w = login()
    w.put("MainDomainName\r\nListDomains\r\nNoop\r\n")
    assert w.line() == "200 data follow\r\n"
    assert w.line() == f'"{os.environ["CG_DOMAIN"]}"\r\n'
    assert w.line() == "200 data follow\r\n"
    text = ""
    while not text.rstrip().endswith(")"):
        line = w.line()
        assert line.endswith("\r\n"), line
        text += line
    assert text.split() == ["(", f'"{os.environ["CG_DOMAIN"]}"', ")"], text
    assert w.line() == "200 OK\r\n"


def data_by_its_last_line():
    """So the vendor's client finds its end: a line that ends as it began."""
    w = login()
    for said in ("GetModule SMTP", "GetModule PWD", "ListAccounts",
                 "ListMailboxes *", "Route a@b.example", "ListGroups",
                 "GetDomainSettings", "MainDomainName", "Echo (a,(b,{c=d;}))",
                 "Echo ({c=d;},((b)))", "Echo {a={b=({c=d;});};}"):
        w.put(said + "\n")
        assert w.line() == "200 data follow\r\n", said
        line = w.line().strip()
        last = {"(": ")", "{": "}"}.get(line[0], "")
        while not line.endswith(last):
            line = w.line().strip()
    ask(w, [("Echo end", "200 data follow")])
    assert w.line() == "end\r\n"


for which in (SESSION, SHORT):
    for line_end in ("\r\n", "\n"):
        play(which, line_end)
        undo()
at_once(SESSION)
undo()
wire = login()
ask(wire, [("INLINE", "200 OK"), *SAMPLES])
data_on_lines()
data_by_its_last_line()
