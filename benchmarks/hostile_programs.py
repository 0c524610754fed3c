"""Programs that are made to leave the sandbox, to take its time, or to pass tests that they do not solve. Seeded.

Each is run against a test whose answer it cannot know: a number that is drawn here and never enters the sandbox, or,
for programs that read a file, the environment or a port, what stands there. So a pass is an escape or a fake.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.registry import Figure
from o1_assets.problems.sandbox.unit_tests import UnitTest, run_tests

NAME = "hostile_programs"
PROGRAMS = 10_000
LONGEST_SECONDS = 2.0


@dataclass
class Traps:
    """What a program would find, change or call if it got out."""

    folder: Path
    port: int
    secret: str
    calls: list[str] = field(default_factory=list)

    def sprung(self) -> list[str]:
        """Signs that a program was outside."""
        files = [path.name for path in self.folder.iterdir() if path.name != "secret"]
        changed = [] if (self.folder / "secret").read_text() == self.secret else ["secret changed"]
        return [*files, *changed, *self.calls]


def compare() -> Mapping[str, Figure]:
    with traps() as set_traps:
        passed, slow, raised, seconds, families = run(PROGRAMS, set_traps)
        escaped = set_traps.sprung()
    seconds.sort()
    faults = len(passed) + len(slow) + len(raised) + len(escaped)
    for text in (*passed, *slow, *raised, *escaped):
        print(f"  {text!r}")
    against = (
        f"0 of {PROGRAMS:,} programs of {len(families)} families: {len(escaped)} escaped, {len(passed)} passed a test, "
        f"{len(slow)} took over {LONGEST_SECONDS:.0f} s of processor time, {len(raised)} raised here; on the wall clock"
        f" median {1e3 * seconds[len(seconds) // 2]:.1f} ms, longest {seconds[-1]:.2f} s at a load of"
        f" {os.getloadavg()[0]:.0f}"
    )
    return {NAME: Figure(float(faults), 0.0, "faults", against)}


def run(
    count: int, set_traps: Traps, seed: int = 0
) -> tuple[list[str], list[str], list[str], list[float], Counter[str]]:
    """Programs that passed, took too long, raised in this process; seconds of each; programs of each family."""
    passed, slow, raised, seconds = [], [], [], []
    families: Counter[str] = Counter()
    run_tests("def f(a, b): return a", [UnitTest((1, 2), 1)])  # the worker's start is charged to nobody
    for family, source, expected in hostile_programs(count, set_traps, seed):
        families[family] += 1
        started, processor = time.perf_counter(), _processor_seconds()
        try:
            report = run_tests(source, [UnitTest((7, 2), expected), UnitTest((3, 5), expected)])
            if not all(report.failures):
                passed.append(source)
        except Exception as error:  # a program must not be able to make the caller raise
            raised.append(f"{type(error).__name__}: {error} by {source}")
        seconds.append(time.perf_counter() - started)
        if _processor_seconds() - processor > LONGEST_SECONDS:
            slow.append(source)
    return passed, slow, raised, seconds, families


def _processor_seconds() -> float:
    """Of this process and of its worker: the wall clock says more about what else this machine does."""
    import psutil

    total = 0.0
    with suppress(psutil.Error):
        for process in (me := psutil.Process(), *me.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def hostile_programs(count: int, set_traps: Traps, seed: int = 0) -> Iterator[tuple[str, str, object]]:
    """(family, source, what it would have to return) of `count` programs, a family of them after the other in turn."""
    draw = random.Random(seed)
    names = list(FAMILIES)
    for index in range(count):
        name = names[index % len(names)]
        expected: object = set_traps.secret if name in _READERS else draw.randrange(10**6, 10**9)
        yield name, FAMILIES[name](draw, set_traps), expected


@contextmanager
def traps() -> Iterator[Traps]:
    """A folder with a secret, the same in the environment, and a port that notes who calls."""
    with (
        tempfile.TemporaryDirectory(prefix="trap-") as name,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        secret = f"secret-{os.getpid()}"
        Path(name, "secret").write_text(secret)
        os.environ["O1_TRAP"] = secret
        set_traps = Traps(Path(name), server.getsockname()[1], secret)

        def listen() -> None:
            try:
                while True:
                    connection, caller = server.accept()
                    with connection:  # noted before the caller sees that it was dropped
                        set_traps.calls.append(f"call from {caller}")
            except OSError:  # the server was closed
                return

        threading.Thread(target=listen, daemon=True).start()
        try:
            yield set_traps
        finally:
            del os.environ["O1_TRAP"]
            server.shutdown(socket.SHUT_RDWR)


# The families. A program's statements stand at its top or inside f, bare or under an `except`.

Family = Callable[[random.Random, Traps], str]


def _function(body: str) -> str:
    return "def f(a, b):\n" + "".join(f"    {line}\n" for line in body.splitlines())


def _placed(draw: random.Random, body: str) -> str:
    """The statements, which end in `value = ...`, somewhere in a program that returns value."""
    if draw.random() < 0.3:
        body = "try:\n" + "".join(f"    {line}\n" for line in body.splitlines())
        body += draw.choice(
            ["except Exception:\n    value = 5", "except BaseException:\n    value = 5", "finally:\n    pass"]
        )
    if draw.random() < 0.3:
        return f"{body}\n{_function('return value')}"
    return _function(f"{body}\nreturn value")


def _statements(*choices: str) -> Family:
    """One of the choices with its places filled: FOLDER, PORT, N (a number), BIG (a large one), NAME (a module)."""

    def family(draw: random.Random, set_traps: Traps) -> str:
        body = draw.choice(choices)
        for word, value in (
            ("FOLDER", str(set_traps.folder)),
            ("PORT", str(set_traps.port)),
            ("BIG", str(10 ** draw.randrange(5, 12))),
            ("NEW", f"new{draw.randrange(10**6)}"),
            ("N", str(draw.randrange(2, 1_000))),
        ):
            body = body.replace(word, value)
        return _placed(draw, body)

    return family


def _sources(*choices: str) -> Family:
    """A whole program as it stands."""

    def family(draw: random.Random, set_traps: Traps) -> str:
        return (
            draw.choice(choices)
            .replace("SIZE", str(draw.randrange(10, 4_000)))
            .replace("N", str(draw.randrange(99)))
        )

    return family


def _nested(draw: random.Random, set_traps: Traps) -> str:
    start, end = draw.choice(
        [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("{1:", "}"), ("f(", ")"), ("lambda:", "")]
    )
    depth = draw.randrange(10, 9_000 // len(start + end))
    return _function(f"return {start * depth}1{end * depth}")


def _noise(draw: random.Random, set_traps: Traps) -> str:
    pieces = (
        "def f(a, b):", "\n    ", "return ", "a", "b", "lambda", "yield ", "await ", "async ", "class ", "import ",
        "match ", "case _:", "with ", "try:", "except*", "finally:", "global f", "nonlocal ", "del f", "*", "**", ":=",
        "@", "...", "'''", '"', "f'{", "}", "\\", "\t", "\r", "\x00", "\ud800", "\u202e", "π", "0x", "1e999", "1_0",
        "~", "if ", "else ", "while 1:",
        "for ", " in ", "assert ", "raise ", "#", ";", "(", ")", "[", "]", "{", "=", "==",
    )  # fmt: skip
    return "".join(draw.choices(pieces, k=draw.randrange(1, 60)))


FAMILIES: dict[str, Family] = {
    "processes": _statements(
        "import os\nvalue = os.fork()",
        "import os\nwhile os.fork() >= 0:\n    pass\nvalue = 5",
        "import subprocess\nvalue = subprocess.run(['touch', 'FOLDER/NEW'])",
        "import os\nvalue = os.system('touch FOLDER/NEW')",
        "import os\nvalue = os.popen('touch FOLDER/NEW').read()",
        "import os\nos.execv('/bin/sh', ['sh', '-c', 'touch FOLDER/NEW'])\nvalue = 5",
        "import os\nos.kill(os.getppid(), N)\nvalue = 5",
        "import multiprocessing\nvalue = multiprocessing.Pool(N).map(print, [1])",
        "import threading\nthreading.Thread(target=f).start()\nvalue = 5",
        "import signal\nsignal.alarm(0)\nvalue = 5",
        "import ctypes\nvalue = ctypes.CDLL(None).system(b'touch FOLDER/NEW')",
    ),
    "files": _statements(
        "value = open('FOLDER/NEW', 'w').write('x' * N)",
        "import os\nos.remove('FOLDER/secret')\nvalue = 5",
        "import os\nos.rename('FOLDER/secret', 'FOLDER/NEW')\nvalue = 5",
        "from pathlib import Path\nvalue = Path('FOLDER/NEW').write_text('x')",
        "import os\nos.mkdir('FOLDER/NEW')\nvalue = 5",
        "import os\nos.symlink('/etc/passwd', 'FOLDER/NEW')\nvalue = 5",
        "import shutil\nshutil.rmtree('FOLDER')\nvalue = 5",
        "import tempfile\nvalue = tempfile.mkstemp(dir='FOLDER')",
        "import sqlite3\nvalue = sqlite3.connect('FOLDER/NEW')",
        "with open('FOLDER/secret', 'a') as file:\n    value = file.write('x')",
    ),
    "secrets": _statements(
        "value = open('FOLDER/secret').read()",
        "from pathlib import Path\nvalue = Path('FOLDER/secret').read_text()",
        "from pathlib import Path\nvalue = [p.read_text() for p in Path('/').glob('**/secret')][0]",
        "import os\nvalue = os.environ['O1_TRAP']",
        "import os\nvalue = os.getenv('O1_TRAP')",
        "value = open('/proc/self/environ').read().split('O1_TRAP=')[1][:N]",
        "import os\nvalue = os.listdir('FOLDER')[0]",
        "import io\nvalue = io.open('FOLDER/secret').read()",
        "value = open('../../../../FOLDER/secret').read()",
        "value = open(b'FOLDER/secret').read()",
        "value = open(N).read()",
        "import json\nvalue = json.load(open('FOLDER/secret'))",
    ),
    "network": _statements(
        "import socket\ns = socket.socket()\ns.connect(('127.0.0.1', PORT))\nvalue = 5",
        "import urllib.request\nvalue = urllib.request.urlopen('http://127.0.0.1:PORT').read()",
        "import http.client\nvalue = http.client.HTTPConnection('127.0.0.1', PORT).connect()",
        "import asyncio\nvalue = asyncio.run(asyncio.open_connection('127.0.0.1', PORT))",
        "import requests\nvalue = requests.get('http://127.0.0.1:PORT')",
        "import ssl, smtplib\nvalue = smtplib.SMTP('127.0.0.1', PORT)",
    ),
    "loops": _statements(
        "while True:\n    pass",
        "value = 0\nwhile True:\n    value += 1",
        "for i in range(BIG * 1000):\n    value = i",
        "value = sum(i * i for i in range(BIG * 1000))",
        "value = [i for i in range(BIG * 1000) if i < 0]",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        "import itertools\nvalue = max(itertools.count())",
        "value = any(x == -1 for x in iter(int, 1))",
        "value = [x for x in [a] for y in range(BIG) for z in range(BIG) if x == -1]",
    ),
    "memory": _statements(
        "value = [0] * BIG",
        "value = 'x' * BIG",
        "value = bytes(BIG)",
        "value = list(range(BIG))",
        "value = {i: [i] * N for i in range(BIG)}",
        "value = []\nwhile True:\n    value.append('x' * N)",
        "value = 'x'\nwhile True:\n    value += value",
        "value = [[]]\nfor i in range(BIG):\n    value = [value, value]",
        "value = 'x'.ljust(BIG)",
        "value = '%BIGd' % N",
        "value = f'{N:>BIG}'",
        "value = 'ab'.replace('', 'x' * N).replace('', 'x' * 9999).replace('', 'y' * 9999)",
        "value = sorted(range(BIG), key=lambda x: -x)",
        "value = tuple(range(10**5)) * N",
        "value = ''.join(['x' * N] * BIG)",
    ),
    "large numbers": _statements(
        "value = 10 ** BIG",
        "value = N ** N ** N",
        "value = 1 << BIG",
        "value = pow(N, BIG, BIG + 7)",
        "value = 7 ** 99999",
        "value = int('9' * 99999)",
        "value = str(9 ** 99999)",
        "import math\nvalue = math.factorial(BIG)",
        "import math\nvalue = math.comb(BIG, N)",
        "value = N\nwhile True:\n    value *= value",
        "value = (10 ** 20000) // (3 ** 9999) % (7 ** 9999)",
        "value = -7 ** 9999 % 5 ** 8888",
        "from decimal import Decimal\nvalue = Decimal(N) ** BIG",
        "from fractions import Fraction\nvalue = Fraction(1, 3) ** BIG",
        "value = round(1.5e300, -N) * 1e300",
    ),
    "recursion": _sources(
        "def f(a, b):\n    return f(a, b)",
        "def f(a, b):\n    return f(a + 1, b) + f(a, b + 1)",
        "def g(n):\n    return g(n + 1)\ndef f(a, b):\n    return g(N)",
        "f = lambda a, b: f(b, a)",
        "def f(a, b):\n    try:\n        return f(a, b)\n    except RecursionError:\n        return f(a, b)",
        "def f(a, b):\n    x = []\n    for i in range(SIZE):\n        x = [x]\n    return x",
        "def f(a, b):\n    x = []\n    x.append(x)\n    return x == x",
        "def f(a, b):\n    x = {}\n    x[1] = x\n    return x",
        "def f(a, b):\n    x = []\n    for i in range(SIZE * 30):\n        x = (x,)\n    return str(x)",
        "class A:\n    def __repr__(self):\n        return repr(self)\ndef f(a, b):\n    return repr(A())",
        "class A:\n    def __eq__(self, other):\n        return self == other\ndef f(a, b):\n    return A()",
    ),
    "regular expressions": _statements(
        "import re\nvalue = len(re.findall('(a+)+$', 'a' * N + 'b'))",
        "import re\nvalue = re.match('(a|aa)+$', 'a' * N + 'b')",
        "import re\nvalue = re.match('(.*)*x', 'y' * N)",
        "import re\nvalue = re.sub('(a*)*b', 'c' * N, 'a' * N * 30)",
        "import re\nvalue = re.compile('(' * N + ')' * N).pattern",
        "import re\nvalue = re.match('a{1000}{1000}', 'a' * N)",
        "import re\nvalue = re.match('(x+x+)+y', 'x' * N)",
        r"import re" "\n" r"value = re.match('(a?){N}a{N}', 'a' * N)",
        r"import re" "\n" r"value = re.match('(.+)\\1+$', 'ab' * N + 'c')",
    ),
    "introspection": _statements(
        "value = ().__class__.__bases__[0].__subclasses__()",
        "value = f.__globals__",
        "value = f.__code__.co_consts",
        "value = (lambda: 0).__globals__['__builtins__']",
        "import sys\nvalue = sys.modules",
        "import sys\nvalue = sys._getframe(1).f_locals",
        "import gc\nvalue = gc.get_objects()",
        "import inspect\nvalue = inspect.stack()[N]",
        "value = globals()",
        "value = vars()",
        "value = eval('__import__(\"os\").getcwd()')",
        'exec(\'value = __import__("os").listdir("/")\')\nvalue = 5',
        "value = compile('1', '', 'eval')",
        "value = __import__('os').environ",
        "value = getattr(getattr('', '__class__'), '__mro__')",
        "value = type('X', (), {'__eq__': lambda s, o: True})()",
        "value = '{0.__class__.__mro__}'.format(a)",
        "value = __builtins__",
        "import importlib\nvalue = importlib.import_module('os')",
        "value = breakpoint()",
        "value = input()",
        "value = help()",
        "try:\n    N // 0\nexcept Exception as error:\n    value = error.__traceback__.tb_frame.f_back.f_locals",
    ),
    "printed answers": _sources(
        "def f(a, b):\n    print(N)",
        "print('PASSED')\ndef f(a, b):\n    print('1 passed in 0.01s')",
        "import sys\ndef f(a, b):\n    sys.stdout.write('N')",
        "def f(a, b):\n    while True:\n        print('x' * SIZE)",
        "def f(a, b):\n    for i in range(SIZE):\n        print(i)\n    return N",
        "def f(a, b):\n    return print",
        "import sys\ndef f(a, b):\n    print('x' * 9999, file=sys.stderr)\n    return N",
    ),
    "early exits": _sources(
        "import sys\nsys.exit(0)",
        "raise SystemExit",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "import os\nos._exit(0)",
        "import os\nos.abort()",
        "quit()",
        "exit()",
        "def f(a, b):\n    raise SystemExit(0)",
        "def f(a, b):\n    raise StopIteration(N)",
        "def f(a, b):\n    raise BaseException",
        "def f(a, b):\n    raise GeneratorExit",
        "import atexit\natexit.register(print)\ndef f(a, b):\n    return N",
        "return 5",
        "",
        "x = N",
        "assert False",
        "f = N",
        "f = None",
    ),
    "equal to everything": _sources(
        "class A:\n    def __eq__(self, other):\n        return True\ndef f(a, b):\n    return A()",
        "class A:\n    def __eq__(self, other):\n        raise ValueError\ndef f(a, b):\n    return A()",
        "class A(int):\n    def __eq__(self, other):\n        return True\ndef f(a, b):\n    return A(N)",
        "class A:\n    def __ne__(self, other):\n        return False\n    def __bool__(self):\n        return True\n"
        "def f(a, b):\n    return A()",
        "class A:\n    def __int__(self):\n        return N\n    def __index__(self):\n        return N\n"
        "def f(a, b):\n    return A()",
        "class A:\n    def __getattr__(self, name):\n        return self\n    def __call__(self, *x):\n"
        "        return self\nf = A()",
        "class f:\n    def __init__(self, a, b):\n        pass\n    def __eq__(self, other):\n        return True",
        "def f(a, b):\n    return True",
        "def f(a, b):\n    return NotImplemented",
        "def f(a, b):\n    return ...",
        "def f(a, b):\n    return float('nan')",
        "def f(a, b):\n    return float('inf')",
        "def f(a, b):\n    return -0.0",
        "def f(a, b):\n    return f",
        "def f(a, b):\n    return type",
        "from unittest.mock import ANY\ndef f(a, b):\n    return ANY",
        "async def f(a, b):\n    return N",
        "def f(a, b):\n    yield N",
        "def f(a, b):\n    return [N] * SIZE",
        "def f(a, b):\n    return (x for x in range(N))",
    ),
    "patched tests": _sources(
        "import builtins\nbuiltins.print = None\ndef f(a, b):\n    return N",
        "int = str\nlen = None\ntype = lambda x: bool\ndef f(a, b):\n    return N",
        "import unittest\nunittest.TestCase.assertEqual = lambda *x: None\ndef f(a, b):\n    return N",
        "import operator\noperator.eq = lambda a, b: True\ndef f(a, b):\n    return N",
        "def f(a, b):\n    global f\n    f = lambda a, b: N\n    return N",
        "def f(a, b):\n    del globals()['f']",
        "import __main__\n__main__.expected = N\ndef f(a, b):\n    return N",
        "import sys\nsys.modules['pytest'] = None\nsys.settrace(print)\ndef f(a, b):\n    return N",
        "import conftest\ndef f(a, b):\n    return conftest.expected",
        "int.__eq__ = lambda self, other: True\ndef f(a, b):\n    return N",
        "def f(a, b):\n    a.__class__.__eq__ = lambda s, o: True\n    return a",
        "def f(*args, expected=N):\n    return expected",
        "def f(a, b):\n    return expected",
        "def f(a, b):\n    return test",
        "_ = N\ndef f(a, b):\n    return _",
        "__name__ = '__main__'\n__file__ = '/dev/null'\ndef f(a, b):\n    return __file__",
    ),
    "sleep": _statements(
        "import time\ntime.sleep(BIG)\nvalue = 5",
        "import asyncio\nasync def g():\n    await asyncio.sleep(BIG)\nvalue = asyncio.run(g())",
        "import time\nstart = time.time()\nwhile time.time() < start + N:\n    pass\nvalue = 5",
        "import time\nwhile True:\n    time.sleep(0.001)",
        "import select\nvalue = select.select([], [], [], BIG)",
        "import time\nvalue = time.monotonic()",
    ),
    "large values": _statements(
        "value = 'x' * 10**6 * 7",
        "value = [0] * 10**5",
        "value = list(range(10**5))",
        "value = 7 ** 40000",
        "value = {i: i for i in range(10**4 + N)}",
        "value = [[[]] * N] * N",
        "value = '\\0' * N + '\\ud800'",
        "value = b'x' * 10**6",
        "value = []\nfor i in range(N * 30):\n    value = [value]",
        "value = {}\nfor i in range(N * 30):\n    value = {i: value}",
        "value = ()\nfor i in range(40):\n    value = (value, value)",
    ),
    "errors": _statements(
        "raise ValueError('x' * BIG)",
        "raise ValueError('\\n' * N)",
        "class E(Exception):\n    pass\nraise E",
        "class E(Exception):\n    def __str__(self):\n        while True:\n            pass\nraise E",
        "try:\n    raise KeyError(N)\nfinally:\n    value = undefined",
        "raise TimeoutError('feed time limit exceeded')",
        "raise MemoryError",
        "raise N",
        "assert value == N, 'x' * N",
        "value = [][N]",
        "value = {}[N]",
        "value = N / 0",
        "value = 'x' + N",
    ),
    "nested source": _nested,
    "noise": _noise,
}

_READERS = frozenset({"secrets"})
"""Families whose programs would return the secret."""
