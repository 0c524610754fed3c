r"""Answers that are made to take a grader's time, or to break it. Seeded; most stay just within what is read at all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

CASES = Path(__file__).parents[1] / "tests" / "problems" / "grading_cases.tsv"


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("¦"))


GOLDS = _parts(r"""
    7 ¦ -3.25 ¦ \frac{1}{2} ¦ \sqrt{11} ¦ 2+\sqrt{3} ¦ \frac{1+\sqrt{5}}{2} ¦ \pi ¦ e^{2} ¦ 2^{100} ¦ 2004! ¦
    x^2+2x+1 ¦ \frac{x+1}{x-1} ¦ \sin x ¦ y = 3x + 2 ¦ x^2 + y^2 = 25 ¦ (1, 2) ¦ (-3, 5] ¦
    (-\infty, 1) \cup (2, \infty) ¦ \{1, 2, 3\} ¦ 1, 2 ¦ 3 \pm 2i ¦ 2:3 ¦ 12 apples ¦ 6 cm ¦ 45^\circ ¦ 50\% ¦
    \text{Evelyn} ¦ 3 1/2 ¦ 0.\overline{3} ¦ \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} ¦ 101_2 ¦ \log_2 3 ¦
    x \le 3 ¦ \binom{10}{3} ¦ 1e-07 ¦ $5$ or $9$
""")


GENERATORS = (
    "countdown", "simple_integration", "intermediate_integration", "polynomial_multiplication", "puzzle24",
    "spiral_matrix", "bitwise_arithmetic", "polynomial_equations",
)  # fmt: skip
"""Of reasoning_gym: most of their scorers hand the answer to sympy."""


def hostile_answers(count: int, seed: int = 0) -> Iterator[tuple[dict[str, str], str]]:
    """`count` pairs of a problem's row and a hostile answer, a family of them after the other in turn.

    One answer in eighteen is to a problem of reasoning_gym.
    """
    draw = random.Random(seed)
    mathematics = [{"grader": "math", "answer": gold, "metadata": "{}"} for gold in GOLDS]
    for index in range(count):
        family = FAMILIES[index % len(FAMILIES)]
        if index % 18:
            yield draw.choice(mathematics), family(draw)
        else:
            yield draw.choice(_puzzles()), draw.choice([_expression, _expression, family])(draw)


@cache
def _puzzles() -> tuple[dict[str, str], ...]:
    import reasoning_gym

    entries = {name: reasoning_gym.create_dataset(name, seed=1, size=1)[0] for name in GENERATORS}
    return tuple(
        {
            "grader": f"reasoning_gym:{name}",
            "answer": entry["answer"],
            "metadata": json.dumps(entry, default=str),
        }
        for name, entry in entries.items()
    )


_OPERATIONS = _parts("""
    ({a})+({b}) ¦ ({a})*({b}) ¦ ({a})/({b}) ¦ ({a})**{n} ¦ ({a})**x ¦ sin({a})*cos({b}) ¦ exp({a}) ¦ log({a}) ¦
    sqrt({a}) ¦ tan({a}) ¦ Abs({a})
""")


def _expression(draw: random.Random, depth: int = 4) -> str:
    """In Python's notation, with powers and functions of functions that sympy expands or simplifies for long."""
    if not depth or draw.random() < 0.1:
        return draw.choice(["x", "y", "C", "2", "9", "99", "0.5", "1e9"])
    left, right = (_expression(draw, depth - 1) for _ in range(2))
    return draw.choice(_OPERATIONS).format(a=left, b=right, n=draw.randrange(2, 99))


def _number(draw: random.Random) -> str:
    return str(draw.randrange(1, 10 ** draw.choice([1, 1, 2, 3])))


def _atom(draw: random.Random) -> str:
    return draw.choice([_number(draw), draw.choice("abnxyz"), r"\pi", "e", "i", f"{_number(draw)}.5"])


def _nested(start: str, end: str, most: int) -> Callable[[random.Random], str]:
    """start ... atom ... end, `most` times at most; @ in start is an atom."""

    def family(draw: random.Random) -> str:
        depth = draw.randrange(1, most)
        starts = [start.replace("@", _atom(draw)) for _ in range(depth)]
        return "".join(starts) + _atom(draw) + end * depth

    return family


def _tower(draw: random.Random) -> str:
    left, right = draw.choice([("{", "}"), ("(", ")"), ("{(", ")}"), ("", "")])
    power = draw.choice(["^", "**"])
    depth = draw.randrange(1, 6)
    return f"{power}{left}".join(_number(draw) for _ in range(depth + 1)) + right * depth


def _power_of_power(draw: random.Random) -> str:
    text = draw.choice([_number(draw), "x", "(x+1)", "(a+b+c)", r"\sqrt{2}"])
    for _ in range(draw.randrange(1, 5)):
        text = f"({text})^{{{draw.choice(['', '-'])}{_number(draw)}}}"
    return text


_FACTORIALS = _parts(r"""
    {n}! ¦ ({n}!)! ¦ {n}!^{{{n}}} ¦ \frac{{1}}{{{n}!}} ¦ \binom{{{n}}}{{{k}}} ¦ {n}!+{k}! ¦ {n}!{k}! ¦
    \frac{{{n}!}}{{{k}!}} ¦ \sqrt{{{n}!}} ¦ \ln({n}!) ¦ \sin({n}!) ¦ {n}!!
""")


def _factorials(draw: random.Random) -> str:
    n = draw.randrange(1, 10_000)
    form = draw.choice(_FACTORIALS)
    return form.format(n=n, k=draw.randrange(1, n + 1))


def _digits(draw: random.Random) -> str:
    digits = "".join(draw.choices("0123456789", k=draw.randrange(50, 1_990)))
    return draw.choice(
        ["{}", "0.{}", "-{}", "1/{}", r"\frac{{{}}}{{7}}", r"\sqrt{{{}}}", "{}!", "x^{{{}}}", "{}e5"]
    ).format(digits)


_EXPONENTS = _parts(r"""
    {a}e{n} ¦ {a}e-{n} ¦ {a}^{{{n}}} ¦ x^{{{n}}} ¦ (x+1)^{{{n}}} ¦ (a+b+c+d)^{{{n}}} ¦ 10^{{10^{{{n}}}}} ¦
    \sqrt[{n}]{{{a}}} ¦ 2^{{\frac{{1}}{{{n}}}}} ¦ {a}^{{-{n}}} ¦ {a}^{{{n}.5}} ¦ i^{{{n}}} ¦ {a}E+{n} ¦
    \log_{{{n}}} {a} ¦ e^{{{n}}} ¦ \sin({a}^{{{n}}}) ¦ {a} \bmod {n} ¦ (1+i)^{{{n}}} ¦
    ({a}+\sqrt{{2}})^{{{n}}}
""")


def _exponents(draw: random.Random) -> str:
    size = draw.randrange(1, 12)
    form = draw.choice(_EXPONENTS)
    return form.format(a=_number(draw), n=draw.randrange(1, 10**size))


_OPERATORS = _parts(r"""
    \sum_{{k=1}}^{{{n}}} {t} ¦ \prod_{{k=1}}^{{{n}}} {t} ¦ \int_0^{{{n}}} {t} dk ¦ \lim_{{k \to {n}}} {t} ¦
    \sum_{{k=1}}^{{\infty}} {t} ¦ \int_{{-\infty}}^{{\infty}} {t} dk ¦ \int {t} dk ¦
    \sum_{{k=1}}^{{{n}}} \sum_{{j=1}}^{{k}} {t} ¦ \prod_{{k=1}}^{{{n}}} \int_0^k {t} dk ¦
    \frac{{d}}{{dk}} {t} ¦ \max({t}, {n}) ¦ \gcd({n}, {t})
""")


_TERMS = _parts(r"""
    k ¦ k! ¦ \frac{1}{k^2} ¦ \sin k ¦ e^{-k^2} ¦ k^k ¦ \sqrt{k} ¦ 2^{-k} ¦ \frac{\sin k}{k}
""")


def _large_operators(draw: random.Random) -> str:
    n = 10 ** draw.randrange(1, 10)
    form = draw.choice(_OPERATORS)
    term = draw.choice(_TERMS)
    return form.format(n=n, t=term)


def _long(terms: tuple[str, ...], joints: tuple[str, ...], most: int) -> Callable[[random.Random], str]:
    """Up to `most` terms with joints between them; @ in a term becomes a number."""

    def family(draw: random.Random) -> str:
        parts = [
            draw.choice(terms).replace("@", str(draw.randrange(2, 500)))
            for _ in range(draw.randrange(2, most))
        ]
        return "".join(p + draw.choice(joints) for p in parts[:-1]) + parts[-1]

    return family


def _polynomial(draw: random.Random) -> str:
    degree = draw.randrange(3, 80)
    terms = [f"{draw.randrange(-99, 99)}x^{{{n}}}" for n in range(degree, 0, -1)]
    text = "+".join(terms) + f"+{draw.randrange(1, 99)}"
    return draw.choice(["{}", "{} = 0", r"\sqrt{{{}}}", r"\frac{{{}}}{{x-1}}", "({})(x-1)", "{} > 0"]).format(
        text
    )


def _unknowns(draw: random.Random) -> str:
    names = draw.sample("abcdfghjklmnopqrstuvwxyz", draw.randrange(3, 24))
    product = draw.choice(["", "+", "*", "-", "^"]).join(names)
    return draw.choice(
        ["{}", "({})^{{9}}", r"\frac{{{}}}{{{}}}", "{}={}", r"\sqrt{{{}}}", "({})({})"]
    ).format(product, product[::-1])


def _matrix(draw: random.Random) -> str:
    rows, columns = draw.randrange(1, 30), draw.randrange(1, 30)
    entry = draw.choice(["1", "-2", "x", r"\frac12", "0.5", "2^9", r"\sqrt2"])
    body = r" \\ ".join(" & ".join([entry] * columns) for _ in range(rows))
    kind = draw.choice(["pmatrix", "bmatrix", "vmatrix", "array", "cases", "matrix"])
    return rf"\begin{{{kind}}} {body} \end{{{kind}}}" + draw.choice(["", "^{-1}", "^{99}", r"\times 2", "^T"])


def _sets(draw: random.Random) -> str:
    count = draw.randrange(2, 150)
    join = draw.choice([", ", ",", r" \cup ", " or ", r", \ldots, ", ";", r" \text{ and } "])
    form = draw.choice(
        [
            "{a}",
            "({a},{b})",
            "[{a},{b})",
            r"\{{{a}\}}",
            r"\frac{{{a}}}{{{b}}}",
            "x={a}",
            "x>{a}",
            r"\pm{a}",
            r"\sqrt{{{a}}}",
        ]
    )
    left, right = draw.choice([("", ""), (r"\{", r"\}"), ("(", ")"), ("[", "]"), (r"\left\{", r"\right\}")])
    return (
        left
        + join.join(form.format(a=draw.randrange(-9, 99), b=draw.randrange(100, 999)) for _ in range(count))
        + right
    )


def _system(draw: random.Random) -> str:
    relations = ["=", "<", ">", r"\le", r"\ge", r"\ne", r"\neq", r"\equiv", r"\in", r"\approx", "==", "\\to"]
    sides = [draw.choice(["x", "y", "x^2+y", "|x-1|", r"\sqrt{x}", r"\frac{1}{x}", "x^3-x", r"\sin x", "3",
    "7", "2^x", r"\ln x"])
             for _ in range(draw.randrange(2, 30))]  # fmt: skip
    text = sides[0] + "".join(f" {draw.choice(relations)} {side}" for side in sides[1:])
    return draw.choice([text, text.replace("x^2", "x^{20}"), f"{text}, {text[::-1]}", f"{text} = 7"])


def _unicode(draw: random.Random) -> str:
    marks = (
        "²⁹½√π∞−–≤∪ℝ∑∫１①Ⅻ٪₂𝟗💥x7^_{}(\\\u0661\u0967\u3000\u200b\u202e\ufeff\u0300\ud800\udfff\x00\x1b\u2028"
    )
    return "".join(draw.choices(marks, k=draw.randrange(1, draw.choice([8, 60, 1_990]))))


_PIECES = (
    r"\frac", r"\sqrt", r"\left(", r"\right)", r"\begin{array}", r"\end{cases}", "{", "}", "{{", "}}", "^",
    "_", "$", "$$", r"\$", "\\", r"\\", "&",
    r"\text{", r"\boxed{", r"\overline", r"\phantom{7}", r"\color{red}", r"\mathbb{R}", "%", "#", "~", "[",
    "]", "(", ")", "|", "||", "!", "!!", "'",
    "\"", "`", ",", ";", ":", "/", "*", "**", "+", "-", "=", "==", "<", "<=", "1", "23", "4.5", "x", "ab",
    "apples", " and ", " or ", "cm", "e5", ".",
    r"\pm", r"\cdot", r"\times", r"\div", r"\infty", r"\pi", r"\sin", r"\log_", r"\binom", r"\sum_", r"\int",
    r"\lim", r"\ldots", r"\circ", " ", "\n",
)  # fmt: skip


def _broken_latex(draw: random.Random) -> str:
    pieces = draw.choice([_PIECES, draw.sample(_PIECES, 6), draw.sample(_PIECES, 3)])
    return "".join(draw.choices(pieces, k=draw.randrange(2, draw.choice([10, 60, 300]))))[:2_000]


def _repeated(draw: random.Random) -> str:
    """A few pieces again and again: what makes a pattern that backtracks take the square or the cube of the length."""
    part = "".join(draw.choices(_PIECES, k=draw.choice([1, 1, 2, 2, 3])))
    text = part * (draw.randrange(20, 2_000) // len(part))
    return (
        draw.choice(["", "7", r"\boxed{", "x=", "{", "("]) + text + draw.choice(["", "7", "}", "x", ")", "!"])
    )[:2_000]


def _program(draw: random.Random) -> str:
    n = draw.randrange(10, 10**6)
    return draw.choice([
        "__import__('os').system('sleep 9')", "[x for x in range({n}**3)]", "while True: pass",
        "exec('9**9**9')", "lambda: 7", "print(7)",
        "factorial({n})", "integrate(sin(x**{n}),x)", "solve(x**{n}-x-1,x)", "Sum(1/k,(k,1,{n})).doit()",
        "open('/etc/passwd').read()", "().__class__.__bases__",
        "range({n})", "'7'*{n}", "eval('7')", "{n}**{n}**{n}", "simplify('x')", "prime({n}**2)",
        "factorint(10**{n}+1)", "Matrix({n},{n},range({n}))",
        "f'{{7}}'", "7 if True else 8", "0x{n}", "1_000", "{n}j", "nan", "inf", "-inf", "1e400", "{n}//0",
        "0/0", "0**0", "{{'a': 7}}", "<script>7</script>",
    ]).format(n=n)  # fmt: skip


def _mutated(draw: random.Random) -> str:
    """A real answer, cut, doubled, or with pieces put in."""
    text = draw.choice(_real_answers())
    for _ in range(draw.randrange(1, 6)):
        cut = draw.randrange(len(text) + 1)
        end = draw.randrange(cut, len(text) + 1)
        text = draw.choice([
            text[:cut] + draw.choice(_PIECES) + text[cut:], text[:cut] + text[end:], text[:end] + text[cut:],
            text[:cut] + text[cut:end] * draw.randrange(1, 30) + text[end:], text.swapcase(), f"({text})",
            f"{text}^{{{_number(draw)}}}",
            rf"\frac{{{text}}}{{{text}}}", text + draw.choice(["=", "+", ", ", " ", r" \cdot "]) + text,
        ])[:2_000]  # fmt: skip
    return text or "7"


@cache
def _real_answers() -> tuple[str, ...]:
    return tuple(line.split("\t")[2] for line in CASES.read_text("utf-8").splitlines()[1:])


FAMILIES: tuple[Callable[[random.Random], str], ...] = (
    _nested(r"\frac{@}{1+", "}", 60),
    _nested(r"\sqrt{@+", "}", 60),
    _nested("(@+", ")", 60),
    _nested("{", "}", 400),
    _nested("[@,", "]", 60),
    _nested("|@-", "|", 40),
    _nested(r"\left(@\right.", r"\right)", 30),
    _nested("@^{", "}", 8),
    _nested(r"\sqrt[3]{@-", "}", 30),
    _nested(r"\ln(@+", ")", 30),
    _nested(r"\log_{@}{", "}", 30),
    _nested(r"\sin(@", ")", 30),
    _nested(r"\frac", "", 200),
    _nested(r"-", "", 200),
    _nested(r"\text{", "}", 60),
    _nested(r"\boxed{", "}", 60),
    _nested(r"\overline{@", "}", 30),
    _nested(r"(@+1)(@-", ")", 25),
    _nested(r"\frac{\sqrt{@}}{", "}", 25),
    _tower,
    _power_of_power,
    _factorials,
    _digits,
    _exponents,
    _large_operators,
    _long((r"\sqrt{@}", r"\sqrt[3]{@}", r"@\sqrt{@}"), ("+", "-"), 120),
    _long((r"\sin @^\circ", r"\cos @", r"\tan @^\circ", r"\sin^2 @", r"\arctan @"), ("+", "-", r"\cdot "),
    90),
    _long((r"\frac{@}{@}", r"\sqrt{\frac{@}{@}}", "@", "1/@"), ("+", "-", r"\times "), 120),
    _long(("(x+@)", "(x-y)^@", "(a+b+c)", "(x^2+@x+@)", r"\frac{x}{@y}"), ("", r"\cdot ", "+", "/"), 60),
    _long((r"\ln @", r"\log_{@} @", "e^{@}", r"\pi^{@}", "@^{0.5}", "@^{1/3}"), ("+", "-", "*", "/"), 90),
    _long(("@!", "@^{@}", r"\binom{@}{@}", "2^{@}"), ("+", "-", r"\cdot ", "/"), 60),
    _long(("@", "x", "cm", "apples", "hours", "%", "$", "million"), (" ", ", ", " and ", "/"), 200),
    _polynomial,
    _unknowns,
    _matrix,
    _sets,
    _system,
    _unicode,
    _broken_latex,
    _repeated,
    _repeated,
    _program,
    _mutated,
    _mutated,
)  # fmt: skip
