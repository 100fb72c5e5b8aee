"""Makes INI texts at random and prints what configparser reads from them.

The answer is the outside judge of fleet/configparser.go. Each case has the text and, for a
strict and for a merging reader, the sections with all their values (those of DEFAULT
included, references replaced), or null where the text is refused. A value that cannot be
expanded is null.
"""

import configparser
import io
import json
import random

PIECES = [
    "[a]", "[b]", "[a]", "[DEFAULT]", "[general]", "[a.http]", "[a] tail", "[[x]]", "[]", "[", "[a", "[é]", "[ a ]",
    "k=v", "k = v", "K: v", "k:v=w", "k=v:w", "k=", "k =  ", "=v", " : v", "k", "k v", "two words = v", "k2=1", "k3 = x ; not a comment",
    "k4=%%", "k4=%(k)s", "k4=%(K)s-%(k2)s", "k5=%(k4)s%(k4)s", "k6=%(k6)s", "k7=%", "k7=%x", "k8=%(nope)s", "k8=%()s", "k8=%(k", "k9=%(two words)s",
    "# comment", "; comment", "  # indented", "#", "", "", " ", "\t", "  more", "\tmore", "   k=deeper", "\u00a0more", "\x1cmore", "  [a]", " [b]",
    "k\u00a0=\u00a0v\u00a0", "\u2003k=v", "\x0bk=v\x0c", "k=v\x1f", "\ufeff[a]", "k=é\u2028x", "É=1", "é=2", "rem x=1", "k:=v", "k==v", "k = [a]",
]
ENDS = ["\n", "\n", "\n", "\r\n", "\r", ""]


def read(text, strict):
    parser = configparser.ConfigParser(strict=strict)
    try:
        # A file is opened with universal newlines; the web API converts them itself.
        parser.read_file(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")))
    except configparser.Error:
        return None
    return {name: {key: get(parser, name, key) for key in parser[name]} for name in parser.sections()}


def get(parser, section, key):
    try:
        return parser.get(section, key)
    except configparser.InterpolationError:
        return None


def main():
    chance = random.Random(20260414)
    cases = []
    while len(cases) < 1500:
        lines = [chance.choice(PIECES) + chance.choice(ENDS) for _ in range(chance.randint(1, 9))]
        if chance.random() < 0.7:
            lines.insert(0, "[a]\n")
        text = "".join(lines)
        strict, merged = read(text, True), read(text, False)
        # Most texts of such pieces are refused; keep one in five of those.
        if merged is not None or chance.random() < 0.2:
            cases.append({"text": text, "strict": strict, "merged": merged})
    print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=True) for c in cases) + "\n]")


if __name__ == "__main__":
    main()
