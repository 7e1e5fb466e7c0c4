"""Odd mail, each message under the name of its oddity: what senders, gateways
and broken programs have made of the standards.  Nobody's mail: made up here."""
import base64
import quopri

HEAD = "From: a@b\nSubject: s\n"
MIXED = HEAD + "Content-Type: multipart/mixed; boundary=b\n"

ADDRESSES = {
    "plain": "a@b",
    "a quoted name": '"J D" <a@b>',
    "a comment as a name": "a@b (Name)",
    "dots in a name": "J. Q. Public <a@b>",
    "a group": "G: a@b, X <c@d>;",
    "an empty group": "undisclosed-recipients:;",
    "no address, two words": "undisclosed recipients",
    "no domain in brackets": "<a>",
    "no domain": "root",
    "no domain, with a name": "Root User <root>",
    "a quoted word only": '"root"',
    "empty brackets": "<>",
    "nothing": "",
    "blanks": "  ",
    "a source route": "<@x,@y:a@b>",
    "no brackets behind a name": "John Doe john@x.com",
    "an empty member": "a@b, , c@d",
    "a comma at the end": "a@b,",
    "a comma at the beginning": ",a@b",
    "a comma alone": ",",
    "a semicolon alone": ";",
    "a colon alone": ":",
    "a bracket alone": "<",
    "a quote alone": '"',
    "a parenthesis alone": "(",
    "semicolons for commas": "a@b; c@d",
    "a quoted local part": '"quoted local"@d',
    "a quoted local part in brackets": '<"a b"@c>',
    "blanks around @ and dots": "a @ b . c",
    "blanks around dots of a local part": "a . b@c",
    "no closing bracket": "<a@b",
    "no opening bracket": "a@b>",
    "brackets twice": "<<a@b>>",
    "comments everywhere": "J (c1) D (c2) <a@b> (c3)",
    "comments in the address": "a(x)@b(y).c",
    "comments in comments": "a@b (x (y) z)",
    "two comments": "a@b (x) (y)",
    "a comment first": "(x) a@b",
    "a comment behind brackets": "<a@b> (name)",
    "a comment only": "(only comment)",
    "a quote that nobody closes": '"unterminated <a@b>',
    "an address literal": "a@[1.2.3.4]",
    "half an address literal": "a@[1.2.3.4",
    "no domain behind @": "a@",
    "no local part": "@b",
    "no local part in brackets": "<@b>",
    "words behind brackets": "Foo <a@b> Bar, c@d",
    "two addresses in brackets": "Foo <a@b> <c@d>",
    "two @": "a@b@c",
    "an encoded name": "=?utf-8?q?J=C3=B6rg?= <a@b>",
    "an encoded name in quotes": '"=?utf-8?q?x?=" <a@b>',
    "an encoded name in a comment": "A@b (=?utf-8?q?x?=)",
    "a comma in an encoded name": "=?utf-8?q?a,b?= <a@b>",
    "8 bits in a name": "Jörg <a@b>",
    "8 bits in a local part": "jörg@b",
    "8 bits in a domain": "a@bücher.example",
    "quotes and backslashes in a name": r'"a\"b\\c" <a@b>',
    "a quoted word among others": 'John "Q" Doe <a@b>',
    "quoted words side by side": '"a" "b" <c@d>',
    "quoted words without a blank": '"a""b" <c@d>',
    "apostrophes": "'J' <a@b>",
    "an address in apostrophes": "'a@b' <a@b>",
    "a dot behind the domain": "a@b.",
    "two dots in a local part": "a..b@c",
    "a dot at the end of a local part": "a.@c",
    "a blank in a domain": "<a@b c>",
    "a comma in a name": "Foo, Bar <a@b>",
    "a group without its end": "G: x@y",
    "an address behind a group": "G: a@b; c@d",
    "a group in a group": "G1: G2: a@b;;",
    "a quoted group": '"G x": a@b;',
    "a group with a comment": "G (c) : a@b ;",
    "square brackets in a name": "Foo [bar] <a@b>",
    "a colon in a name": "Foo: bar <a@b>",
    "mailto": "mailto:a@b",
    "mailto in brackets": "<mailto:a@b>",
    "a comma in a quoted name": '"Doe, J" <a@b>',
    "a fold between addresses": "a@b,\n\tc@d",
    "a fold in a quoted name": '"Long\n Name" <a@b>',
    "a fold in a name": "A\n\tB <a@b>",
    "an empty name": '"" <a@b>',
    "no blank before the bracket": '"A"<a@b>',
    "specials in a local part": "a/b=c/@d",
    "a UUCP path": "a!b!c",
    "a percent hack": "a%b@c",
    "a plus": "a+b@c",
    "X.400": '"/G=A/S=B/O=C/"@d',
    "an address in square brackets": '"A" [a@b]',
    "an address in a comment": '"A" (a@b)',
    "a backslash in a name": r"A \ B <c@d>",
    "a backslash in a domain": r"a@b\x",
    "no comma between addresses": "a@b c@d",
    "an address as a name": "a@b.c <a@b>",
    "an address as a quoted name": '"a@b" <a@b>',
    "two blanks in a name": "A  B <c@d>",
    "two blanks in a quoted name": '"A  B" <c@d>',
    "blanks in brackets": "A <  a@b  >",
    "a quoted domain": 'a@"b"',
    "a domain behind a group": "Undisclosed-Recipient:;@x.y",
    "a group in brackets": "<Undisclosed-Recipient:;>",
    "a semicolon at the end": "<a@b>;",
    "four hundred": ", ".join(f"N {i} <u{i}@d{i}.example>"
                              for i in range(400)),
    "a very long name": "x" * 2000 + " <a@b>",
}

SUBJECTS = {
    "none at all": None,
    "empty": "",
    "blanks": "   ",
    "folded": "a\n b",
    "folded by a tab": "a\n\tb",
    "folded by many blanks": "a\n   b",
    "folded at once": "\n a",
    "an empty fold": "a\n \n b",
    "8 bits of UTF-8": "grüße",
    "8 bits of Latin-1": "grüße".encode("latin1"),
    "quotes": 'a "b" \\c',
    "a tab": "a\tb",
    "two blanks": "a  b",
    "blanks at the end": "a  \t ",
    "a control": "a\x01b\x7f",
    "encoded words": "=?utf-8?q?a?= =?iso-8859-1?b?5A==?=",
    "a broken encoded word": "=?utf-8?q?a",
    "very long": "word " * 1000,
    "an emoji": "\U0001f600",
    "a literal's look": "{12}",
    "NIL": "NIL",
    "parentheses": "a) (b",
}

TYPES = {
    "HTML": 'text/html; charset="utf-8"',
    "no charset": "text/plain; format=flowed",
    "capitals": "TEXT/Plain; CHARSET=UTF-8",
    "a type alone": "text",
    "empty": "",
    "a slash too few words": "text/",
    "comments": "text (c) / (d) plain (e); (f) charset (g) = (h) utf-8 (i)",
    "continuations": 'image/png; name*0="a"; name*1="b.png"; x=y',
    "an extended value": "image/png; name*=utf-8''a%20b.png",
    "extended and plain sections":
        "image/png; name*0*=utf-8''a%20; name*1=\"b c\"; name*2*=%20d",
    "sections out of order": "image/png; name*1=b; name*0=a",
    "sections without a first": "image/png; name*1=b; name*2=c",
    "a gap in sections": "image/png; name*0=a; name*2=c",
    "a section twice": "image/png; name*0=a; name*0=b; name*1=c",
    "blanks in a value": "image/png; name=my file.png; x=y",
    "a quote that nobody closes": 'image/png; name="my file.png',
    "8 bits": 'image/png; name="jörg.png"',
    "8 bits, no quotes": "image/png; name=jörg.png",
    "empty values": 'image/png; name=; x=""',
    "no value": "image/png; name; x=y",
    "two semicolons": "image/png;; x=y;",
    "a parameter twice": "text/plain; charset=a; charset=b",
    "a fold in a value": 'image/png;\n\tname="a\n b.png"',
    "quoted pairs": r'image/png; name="a\"b\\c"',
    "specials in values": "application/x; a=b/c; d=e@f; g=h=i",
    "encoded words": 'image/png; name="=?utf-8?q?a?="; y==?utf-8?q?b?=',
    "no semicolon": "text/plain charset=utf-8",
    "a comma": "text/plain, charset=utf-8",
    "a partial message": "message/partial; id=x; number=1",
    "an external body": 'message/external-body; access-type=URL; URL="http"',
    "an unknown type": "x-foo/x-bar",
    "a calendar": "text/calendar; method=REQUEST; charset=UTF-8",
    "a delivery status": "message/delivery-status",
    "a message of RFC 6532": "message/global",
    "a type of 300 letters": "application/" + "x" * 300,
    "200 parameters": "a/b" + "".join(f"; p{i}={i}" for i in range(200)),
}

FIELDS = {
    "disposition with a type": "Content-Type: a/b\n"
        "Content-Disposition: attachment; filename=a.png",
    "disposition alone": "Content-Disposition: inline",
    "disposition without a semicolon": "Content-Type: a/b\n"
        "Content-Disposition: attachment filename=x",
    "disposition without a value": "Content-Type: a/b\n"
        "Content-Disposition: ; filename=x",
    "both forms of a file name": "Content-Type: a/b\nContent-Disposition: "
        "attachment; filename=\"x.png\"; filename*=utf-8''%C3%BC.png",
    "one language": "Content-Type: a/b\nContent-Language: en",
    "languages with junk": "Content-Type: a/b\n"
        "Content-Language: ,en,,de (c)",
    "an id with comments": "Content-Type: a/b\nContent-ID: (c) <x@y> (d)",
    "a description": "Content-Type: a/b\n"
        "Content-Description: =?utf-8?q?x?= \"y\"",
    "a location with a fold": "Content-Type: a/b\n"
        "Content-Location: http://a/\n b",
    "an MD5": "Content-Type: a/b\nContent-MD5:  Q2hlY2s=",
    "two types": "Content-Type: text/html\nContent-Type: text/css",
    "two dates and ids": "Date: 1\nDate: 2\nMessage-ID: <1>\nMessage-ID: <2>",
    "two recipients' fields": "To: x@y\nTo: z@z",
    "ids on many lines": "In-Reply-To: <a>\n <b>\n\t<c>\nReferences: <d>",
    "empty date and ids": "Date:\nMessage-ID: \nIn-Reply-To:",
    "a line that is no field": "this is no field",
    "a From_ line": "From a@b Mon Nov 20 10:00:00 2026",
    "a line of blanks": " ",
    "an own sender": "Sender: c@d\nReply-To: e@f, g@h\nBcc: i@j",
    "an empty sender": "Sender:\nReply-To: \nCc:",
    "blanks before the colon": "Content-Type : text/html\nTo : x@y",
    "500 fields": "\n".join(f"X-F{i}: {i}" for i in range(500)),
    "a field of 50,000 bytes": "X-Long: " + "x" * 50000,
    "a name without a value": "X-Nothing:",
    "a colon first": ": x",
}

ENCODINGS = ["7bit", "8bit", "binary", "quoted-printable", "base64",
             "x-uuencode", "BASE64", "7-bit"]

BODIES = {
    "empty": b"",
    "one line without its end": b"x",
    "empty lines": b"\n\n\n",
    "a long line": b"x" * 100000 + b"\n",
    "dots": b".\n..\n.x\n",
    "From_ lines": b"From here\n>From there\n>>From\n\nFrom a@b Mon Nov 20 "
                   b"10:00:00 2026\nx\n",
    "a From_ line at the end": b"\nFrom x",
    "blanks at line ends": b"a \nb\t\n \n",
    "Latin-1": "grüße\n".encode("latin1"),
    "a mark of byte order": b"\xef\xbb\xbfx\n",
    "a lone CR": b"a\rb\n",
    "CRs before the line end": b"a\r\r\nb\n",
    "a form feed": b"a\fb\n",
    "a signature": b"x\n-- \nme\n",
    "a boundary of nobody": b"--b\n\nx\n--b--\n",
}


def crlf(data):
    """LF ends of lines as CRLF; what has CRLF already stays."""
    if isinstance(data, str):
        data = data.encode()
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def nest(levels):
    text, ends = HEAD, ""
    for i in range(levels):
        text += f"Content-Type: multipart/mixed; boundary=b{i:03}\n\n" \
                f"--b{i:03}\n"
        ends = f"--b{i:03}--\n" + ends
    return text + "\nx\n" + ends


def forwarded(levels):
    return HEAD + "Content-Type: message/rfc822\n\n" * levels + \
        "Subject: inmost\n\nx\n"


def alternative(text):
    return "Content-Type: multipart/alternative; boundary=c\n\n--c\n\n" + \
        text + "\n--c\nContent-Type: text/html\n\n<p>\n--c--\n"


STRUCTURES = {
    "no body": HEAD + "\n",
    "no empty line": HEAD,
    "an empty line only": "\n",
    "one letter": "x",
    "a body only": "\nbody\n",
    "no line end at the end": HEAD + "\nhello",
    "preamble and epilogue":
        MIXED + "\npre\n--b\n\n1\n--b\n\n2\n\n--b--\npost\n",
    "no end": MIXED + "\n--b\n\n1\n--b\n\n2\n",
    "no parts": MIXED + "\nfoo\n",
    "nothing in a multipart": MIXED + "\n",
    "a multipart's header only": MIXED,
    "no boundary":
        HEAD + "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
    "an empty boundary": HEAD + 'Content-Type: multipart/mixed; boundary=""'
        "\n\n--\n\nx\n----\n",
    "empty parts": MIXED + "\n--b\n--b\n\n--b\n\n\n--b--\n",
    "an end only": MIXED + "\n--b--\n",
    "a header cut by a boundary": MIXED + "\n--b\nContent-Type: text/html\n"
        "--b\nContent-Type: text/css\n\nx\n--b--\n",
    "no empty line before the first boundary":
        MIXED + "--b\nContent-Type: text/html\n\nx\n--b--\n",
    "a boundary that begins another": MIXED + "\n--b\nContent-Type: "
        "multipart/alternative; boundary=bb\n\n--bb\n\n1\n--bb\n\n2\n--bb--"
        "\n--b\n\n3\n--b--\n",
    "the same boundary inside": MIXED + "\n--b\nContent-Type: "
        "multipart/alternative; boundary=b\n\n--b\n\n1\n--b\n\n2\n--b--\n"
        "--b\n\n3\n--b--\n",
    "an inner multipart without its end": MIXED + "\n--b\nContent-Type: "
        "multipart/alternative; boundary=c\n\n--c\n\n1\n--b\n\n3\n--b--\n",
    "blanks behind boundaries":
        MIXED + "\n--b  \n\n1\n--b\t\n\n2\n--b--  \nepi\n",
    "text behind boundaries":
        MIXED + "\n--bxyz\n\n1\n--b--foo\n\nepi\n--b\n\nx\n",
    "parts behind the end": MIXED + "\n--b\n\n1\n--b--\n--b\n\n2\n--b--\n",
    "blanks before boundaries": MIXED + "\n --b\n\nx\n --b--\n",
    "a boundary with a blank at its end": HEAD + "Content-Type: "
        'multipart/mixed; boundary="b "\n\n--b\n\nx\n--b--\n',
    "a boundary with a blank inside": HEAD + "Content-Type: "
        'multipart/mixed; boundary="b c"\n\n--b c\n\nx\n--b c--\n',
    "a boundary that should be quoted": HEAD + "Content-Type: "
        "multipart/mixed; boundary=----=_Next?(a):b\n\n------=_Next?(a):b\n\n"
        "x\n------=_Next?(a):b--\n",
    "a boundary with = and no quotes": HEAD + "Content-Type: "
        "multipart/mixed; boundary=--=_N/1\n\n----=_N/1\n\nx\n----=_N/1--\n",
    "a boundary in sections": HEAD + "Content-Type: multipart/mixed; "
        "boundary*0=b; boundary*1=c\n\n--bc\n\nx\n--bc--\n",
    "a boundary of 100 letters": HEAD + "Content-Type: multipart/mixed; "
        f"boundary={'x' * 100}\n\n--{'x' * 100}\n\nx\n--{'x' * 100}--\n",
    "a boundary with 8 bits": HEAD + "Content-Type: multipart/mixed; "
        'boundary="bü"\n\n--bü\n\nx\n--bü--\n',
    "two boundaries": HEAD + "Content-Type: multipart/mixed; boundary=b; "
        "boundary=c\n\n--c\n\n1\n--b\n\n2\n--b--\n",
    "a digest": HEAD + "Content-Type: multipart/digest; boundary=b\n\n--b\n\n"
        "From: x@y\nSubject: in\n\nbody\n--b\nContent-Type: text/plain\n\n"
        "plain\n--b--\n",
    "a digest in a digest": HEAD + "Content-Type: multipart/digest; "
        "boundary=b\n\n--b\n\nSubject: q\nContent-Type: multipart/digest; "
        "boundary=c\n\n--c\n\nSubject: z\n\n1\n\n--c--\n\n--b--\n",
    "a message inside": MIXED + "\n--b\nContent-Type: message/rfc822\n\n"
        "From: x@y\nSubject: in\n\nbody\nline2\n--b--\n",
    "an empty message inside":
        MIXED + "\n--b\nContent-Type: message/rfc822\n\n--b--\n",
    "a message without a body inside": MIXED + "\n--b\nContent-Type: "
        "message/rfc822\n\nFrom: x@y\n--b--\n",
    "a multipart message inside": MIXED + "\n--b\nContent-Type: "
        "message/rfc822\nContent-Disposition: inline\n\nFrom: x@y\n"
        "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n\n"
        "--b--\n",
    "a multipart message inside, no empty line behind": MIXED + "\n--b\n"
        "Content-Type: message/rfc822\n\nFrom: x@y\n"
        "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n"
        "--b--\n",
    "a message as the message":
        HEAD + "Content-Type: message/rfc822\n\nFrom: x@y\n\nin\n",
    "a message in base64": HEAD + "Content-Type: message/rfc822\n"
        "Content-Transfer-Encoding: base64\n\nRnJvbTogeEB5Cg==\n",
    "a multipart in base64": HEAD + "Content-Type: multipart/mixed; "
        "boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n",
    "multiparts 10 deep": nest(10),
    "multiparts 50 deep": nest(50),
    "multiparts 98 deep": nest(98),
    "multiparts 100 deep": nest(100),
    "multiparts 150 deep": nest(150),
    "messages 20 deep": forwarded(20),
    "messages 98 deep": forwarded(98),
    "1,000 parts": MIXED + "\n" + "--b\n\nx\n" * 1000 + "--b--\n",
    "no MIME-Version, a multipart": "Content-Type: multipart/mixed; "
        "boundary=b\n\n--b\n\nx\n--b--\n",
    "a multipart of an unknown kind": HEAD + "Content-Type: multipart/x-y; "
        "boundary=b\n\n--b\n\nx\n--b--\n",
    "a multipart of no kind": HEAD + "Content-Type: multipart; boundary=b"
        "\n\n--b\n\nx\n--b--\n",
}

SENDERS = {
    "Outlook's winmail.dat": MIXED + "\nThis is a multi-part message in MIME "
        "format.\n\n--b\nContent-Type: text/plain;\n\tcharset=\"us-ascii\"\n"
        "Content-Transfer-Encoding: 7bit\n\nHi\n\n--b\nContent-Type: "
        "application/ms-tnef;\n\tname=\"winmail.dat\"\n"
        "Content-Transfer-Encoding: base64\nContent-Disposition: attachment;"
        "\n\tfilename=\"winmail.dat\"\n\neJ8+IhcTAQaQCAA=\n\n--b--\n",
    "Apple Mail's related in alternative in mixed": MIXED + "\n\n--b\n"
        "Content-Type: multipart/alternative;\n\tboundary=\"c\"\n\n\n--c\n"
        "Content-Type: text/plain;\n\tcharset=us-ascii\n\nHi\n--c\n"
        "Content-Type: multipart/related;\n\ttype=\"text/html\";\n\t"
        "boundary=\"d\"\n\n\n--d\nContent-Type: text/html\n\n<img>\n--d\n"
        "Content-Type: image/png;\n\tx-unix-mode=0644;\n\tname=\"a b.png\"\n"
        "Content-Id: <1@apple>\nContent-Disposition: inline;\n\tfilename*="
        "utf-8''a%20b.png\n\nAAAA\n--d--\n\n--c--\n\n--b--\n",
    "Exchange's report": HEAD + "Content-Type: multipart/report; "
        "report-type=delivery-status;\n\tboundary=\"b\"\n\n--b\nContent-Type:"
        " text/plain\n\nFailed.\n\n--b\nContent-Type: message/delivery-status"
        "\n\nReporting-MTA: dns;x\n\nFinal-Recipient: rfc822;a@b\n"
        "Action: failed\n\n--b\nContent-Type: message/rfc822\n\nFrom: a@b\n"
        "To: c@d\n\nbounced\n\n--b--\n",
    "a report with headers only": HEAD + "Content-Type: multipart/report; "
        "boundary=b\n\n--b\n\nFailed.\n--b\nContent-Type: "
        "text/rfc822-headers\n\nFrom: a@b\n\n--b--\n",
    "a receipt": HEAD + "Content-Type: multipart/report; report-type="
        "disposition-notification; boundary=b\n\n--b\n\nRead.\n--b\n"
        "Content-Type: message/disposition-notification\n\nDisposition: x\n"
        "\n--b--\n",
    "a list's footer behind the end": MIXED + "\n--b\n\nHi\n--b--\n\n"
        "_______________\nlist@x\n",
    "an invitation": MIXED + "\n--b\n" + alternative("Meet") + "\n--b\n"
        "Content-Type: application/ics; name=\"invite.ics\"\n"
        "Content-Disposition: attachment; filename=\"invite.ics\"\n\n"
        "BEGIN:VCALENDAR\n--b--\n",
    "S/MIME, signed": HEAD + "Content-Type: multipart/signed; protocol="
        "\"application/pkcs7-signature\";\n micalg=sha-256; boundary=b\n\n"
        "--b\n\nHi\n\n--b\nContent-Type: application/pkcs7-signature; name="
        "smime.p7s\nContent-Transfer-Encoding: base64\n\nMIAG\n\n--b--\n",
    "S/MIME, sealed": HEAD + "Content-Type: application/pkcs7-mime; smime-"
        "type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: "
        "base64\nContent-Disposition: attachment; filename=smime.p7m\n\n"
        "MIAG\n",
    "PGP/MIME": HEAD + "Content-Type: multipart/encrypted;\n protocol="
        "\"application/pgp-encrypted\";\n boundary=\"b\"\n\n--b\n"
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b\n"
        "Content-Type: application/octet-stream; name=\"encrypted.asc\"\n"
        "\n-----BEGIN PGP MESSAGE-----\n-----END PGP MESSAGE-----\n\n"
        "--b--\n",
    "PGP in the text, with dashes": MIXED + "\n--b\n\n-----BEGIN PGP SIGNED "
        "MESSAGE-----\n\n- --b\n-----END PGP SIGNATURE-----\n--b--\n",
    "Notes' boundary": HEAD + "Content-Type: multipart/alternative; boundary="
        "\"=_alternative 0042A1B2C1257F00_=\"\n\n\n--=_alternative "
        "0042A1B2C1257F00_=\nContent-Type: text/plain; charset=\"US-ASCII\"\n"
        "\n\nHi\n--=_alternative 0042A1B2C1257F00_=--\n",
    "uuencode in text": HEAD + "\nbegin 644 a.txt\n#86)C\n`\nend\n",
    "yEnc in text": HEAD.encode() + b"\n=ybegin line=128 size=3 name=a\n"
        b"\x8b\x8c\x8d\n=yend size=3\n",
    "a fax gateway's empty text": MIXED + "\n--b\nContent-Type: text/plain\n"
        "\n\n--b\nContent-Type: image/tiff; name=fax.tif\n\n\n--b--\n",
    "a form's newline in the subject": "From: a@b\nSubject: a\n\nBcc: x@y\n"
        "\nspam\n",
    "spam with random capitals": "fRoM: a@b\nsUbJeCt: s\ncOnTeNt-TyPe: "
        "tExT/HtMl; cHaRsEt=\"UTF-8\"\n\nx\n",
    "spam with a type of its own": HEAD + "Content-Type: text/html; charset="
        "\"%CHARSET\"; %RND\n\nx\n",
    "spam with template fields": "From: %FROM_NAME <%FROM_EMAIL>\nSubject: "
        "{%SUBJ%}\nMessage-ID: <%RND@%HOST\nDate: %DATE\n\nx\n",
    "a date of nobody": "From: a@b\nDate: yesterday, at noon\n\nx\n",
    "a date with a comment": "Date: Fri, 20 Nov 2026 10:00:00 +0100 (CET)"
        "\n\nx\n",
    "a cron job": "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@h>"
        " test -x /usr/bin/x && x\nContent-Type: text/plain; charset="
        "ANSI_X3.4-1968\nX-Cron-Env: <SHELL=/bin/sh>\n\nout\n",
    "ISO-2022-JP": "From: a@b\nSubject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?="
        "\nContent-Type: text/plain; charset=ISO-2022-JP\n\n\x1b$BF|K\\\x1b(B"
        "\n",
    "UTF-16 without an encoding": (HEAD + "Content-Type: text/plain; charset="
        "utf-16le\nContent-Transfer-Encoding: 8bit\n\n").encode() +
        "ä\u0123x".encode("utf-16le").replace(b"\0", b" ") + b"\n",
}


def encoded(body, encoding):
    if encoding.lower() == "base64":
        return base64.encodebytes(body)
    if encoding == "quoted-printable":
        return quopri.encodestring(body)
    return body


def messages():
    """{name: bytes with CRLF}, in order."""
    found = {}

    def add(kind, table, make):
        for name, what in table.items():
            found[f"{kind}: {name}"] = crlf(make(what))

    add("to", ADDRESSES, lambda a: f"From: x@y\nTo: {a}\n\nx\n")
    add("subject", SUBJECTS, lambda s: "From: x@y\n\nx\n" if s is None else
        b"From: x@y\nSubject: " + (s if isinstance(s, bytes) else s.encode())
        + b"\n\nx\n")
    add("type", TYPES, lambda t: f"{HEAD}Content-Type: {t}\n\nx\n")
    add("fields", FIELDS, lambda f: f"{HEAD}{f}\n\nx\n")
    add("structure", STRUCTURES, lambda s: s)
    add("sender", SENDERS, lambda s: s)
    for e in ENCODINGS:
        add(f"body in {e}", BODIES, lambda b, e=e: (
            f"{HEAD}Content-Type: text/plain; charset=utf-8\n"
            f"Content-Transfer-Encoding: {e}\n\n").encode() + encoded(b, e))
    return found
