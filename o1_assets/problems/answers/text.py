r"""The text of a final answer: many ways of writing the same become one, before it is read.

Unicode, spaces, LaTeX commands that only change how something looks, dollar signs and boxes around formulas, and
separators between thousands.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from o1_assets.problems.answers.tokens import Unreadable, closing_brace

# Characters of one kind, and what each becomes.
_CHARACTER_NAMES = {
    "×": "times", "·": "cdot", "⋅": "cdot", "∙": "cdot", "÷": "div", "∞": "infty", "π": "pi", "√": "sqrt", "≤": "le",
    "≥": "ge", "⩽": "le", "≦": "le", "≧": "ge", "⩾": "ge", "≠": "ne", "≈": "approx", "∈": "in", "∪": "cup",
    "ℝ": "reals",
    "ℤ": "mathbb{Z}", "ℕ": "mathbb{N}", "ℚ": "mathbb{Q}", "ℂ": "mathbb{C}",
   
    "∅": "emptyset",
    "±": "pm", "∓": "mp", "⟨": "langle", "⟩": "rangle", "α": "alpha", "β": "beta", "γ": "gamma", "θ": "theta",
    "λ": "lambda", "∠": "angle", "μ": "mu", "φ": "phi",
}  # fmt: skip
_CHARACTERS = str.maketrans(
    dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\u2015\ufe63\uff0d", "-")
    | {c: f"\\{name} " for c, name in _CHARACTER_NAMES.items()}
    | dict.fromkeys("°º˚", r"^\circ ")
    | dict.fromkeys("\u200b\ufeff", "")
    | {"∛": r"\sqrt[3]", "…": r"\ldots ", "∗": "*",
       "∕": "/", "⁄": "/", "′": "'", "’": "'", "∶": ":", "，": ",", "、": ", ", "；": "; ", "。": "."}
)  # fmt: skip

_SYNONYMS = {
    "dfrac": "frac", "tfrac": "frac", "nicefrac": "frac", "sfrac": "frac",
    "cfrac": "frac", "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge",
    "neq": "ne", "lbrace": "{", "rbrace": "}", "lparen": "(", "simeq": "approx", "approxeq": "approx", 
    "varnothing": "emptyset", "vert": "|", "mid": "|", "smallsetminus": "setminus", "lbrack": "[",
    "rbrack": "]", "backslash": "setminus", "gets": "=",
    "dots": "ldots", "cdots": "ldots", "circ": "circ",
}  # fmt: skip
# Commands that change how something looks, not what it is. Not among them: \phantom, which hides it, and \color, whose
# argument would be read as part of the answer.
_LOOKS = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|scriptstyle|limits|nolimits|mathrm(?!\{)|rm|bf|it|tt|sf)"
    r"(?![A-Za-z])"
)
_SPACES = re.compile(r"\\(?:quad|qquad|enspace|thinspace|medspace|thickspace)(?![A-Za-z])|\\[,;: ]|~|\s+")
_FONTS = re.compile(
    r"\\(?:mathbf|textbf|mathit|textit|emph|boldsymbol|bm|underline|mathsf|texttt|mathcal|fbox)\s*\{"
)
# No thousands begin with a zero alone: 0,125 is no 125.
_DIGIT_GROUPS = re.compile(
    r"(?<=\d)(?<!^0)(?<![^\d.]0)(?:\{,\}|,\s*\\!\s*|\\,|\\ |\\;|~|[\u2009\u202f\u00a0'](?=\d{3}))(?=\d{3}(?!\d))"
)
_SPACED_GROUPS = re.compile(r"(?<![\d.,/^_] )(?<![\d.,/^_])[1-9]\d{0,2}(?: \d{3})+(?![\d/]|\s*\d)")
_COMMA_GROUPS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,]|\.\d*,)")
CURRENCY = {"¤": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee"}


def clean(text: str) -> str:
    r"""The answer without what stands around it, and without what only changes its looks.

    >>> clean(r"$\left( 3,\, \dfrac12 \right)$."), clean("**5**"), clean("x²")
    ('( 3,  \\frac12 )', '5', 'x^{2}')
    """
    # Two backslashes end a row of a matrix; what follows them is no command.
    text = _folded(text.strip().translate(_CHARACTERS)).translate(_CHARACTERS)
    text = re.sub(r"\\\\(?:\s*\[[^\]]*\])?", r"\\cr ", text)
    text = _DIGIT_GROUPS.sub("", text)
    text = _replaced(text, _LATEX)
    text = re.sub(r"\\([A-Za-z]+)", lambda m: _command(m[1]), text)
    text = _SPACES.sub(" ", re.sub(r"\\[()\[\]]", " ", _without_dollars(text))).strip()
    text = _SPACED_GROUPS.sub(lambda m: m[0].replace(" ", ""), _replaced(text, _WAYS))
    if re.search(r"[=<>]|\\(?:le|ge|ne)(?![A-Za-z])", text):
        # Between equations it is "or"; p \lor q is a formula of logic.
        text = re.sub(r"\\(?:lor|vee)(?![A-Za-z])", " or ", text)
    text = _replaced(_FONTS.sub("{", _unboxed(text)).strip(), _AROUND)
    return text.strip().rstrip(".,;: ").strip()


def _replaced(text: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _rules(*rules: tuple[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in rules)


_LATEX = (
    *_rules(
        (r"\\left\s*\\\{\s*(?=\\begin)", ""),  # the brace before a system of equations
        (r"\\(?:left|right)\s*\.", ""),
        (r"\\!", ""),
        (r"(?<=\d)\\text\{,\}(?=\d{3})", ""),
        (r",\s*&", "&"),
        (r"&\s*=", "="),
        (r"(?<=\d)\s*\bsec\b\.?(?!\s*[\^({\\x])", " seconds"),
        (r"&\s*(?:\\(?:text|mbox)\s*\{\s*,?\s*(?:if|for|when)?\s*\}|if\b)", "& "),
        (r"\\math(?:bb|bf|rm)\s*\{?\s*R\s*\}?|\\R(?![A-Za-z])", r"\\reals "),
        (r"\\not\s*=", r"\\ne "),
        (r"\\begin\s*\{(array|tabular)\}\s*\{[^{}]*\}", r"\\begin{\1}"),
        (r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}", r"\\frac{\1}{\2}"),
        (r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"^([^{}]*)\\over(?![A-Za-z])([^{}]*)$", r"\\frac{\1}{\2}"),
        (r"(?<!\^)\\degree(?![A-Za-z])|\^\{?o\}?$", r"^\\circ "),
    ),
    (_LOOKS, " "),
)
# Ways of writing the same, in LaTeX or without.
_WAYS = _rules(
    (r"^(\*\*|__|\*|`)(?=[^\s*_`])([^*_`]*[^\s*_`])\1$", r"\2"),  # bold, italics and code of Markdown
    (r"\*\*", "^"),
    (r"(?<![\d.])\.(?=\s*\\(?:overline|bar|dot))", "0."),
    (r"(?<=\d)\s*x\s*(?=10\s*\^)", r"\\times "),
    (r"^(?:the )?year (?=\d)", ""),
    (r"(?<=\d)\s*h(?=\s*\d+\s*min)", " hours "),
    (r"(?<=\d)\s?(?:st|nd|rd|th)\b", ""),
    (r"\{\s*\}(?=\^)", ""),
    (r"\{\s*(\^\s*\\circ)\s*\}", r"\1"),
    (r"\+\s?/\s?-", r"\\pm "),
    (r"\.\.\.", r"\\ldots "),
    (r"(?<=[)\]])\s*U\s*(?=[(\[])", r"\\cup "),
    (r"\\reals\s*-\s*(?=\\\{)", r"\\reals \\setminus "),
    (r"(?<=\d)\s*(mm|cm|km|m|ft|in)([23])(?!\d)", r" \1^\2"),
    (r"\^\s*\{?\s*\\circ\s*\}?\s*(?:\\(?:text|mathrm)\s*\{\s*)?C\}?(?![A-Za-z])", " degrees celsius"),
    (r"\^\s*\{?\s*\\circ\s*\}?\s*(?:\\(?:text|mathrm)\s*\{\s*)?F\}?(?![A-Za-z])", " degrees fahrenheit"),
    (r"(?<=\d)\s*¢", " cents"),
    (r"\bUS\s*(?=¤)", ""),
    (r"\b([ap])\.\s?m\b\.?", r"\1m"),
    (r"(?<![:\d])(\d{1,2})(\s*(?:\\text\s*\{)?\s*[ap]m\b)", r"\1:00\2"),
    (r"(?<=[\dA-F])\s*(?:\\text\s*\{)?\s*\(?(?:in )?base[ -]?\}?\s*(\d+|[a-z]+)\)?\}?$", r"_{\1}"),
    (r"\^\s*\{?\s*\\(?:text|mathrm)\s*\{\s*(st|nd|rd|th)\s*\}\s*\}?", r" \1 "),
    (r"<=", r"\\le "), (r">=", r"\\ge "), (r" !=", r" \\ne "),
)  # fmt: skip
# What stands around an answer.
_AROUND = _rules(
    (r"^(?:\\therefore|\\Rightarrow|\\implies|\\to|\\rightarrow|=>|#+(?=\s)|∴|⇒|→)\s*", ""),
    (r"^(?:\*\*)?ans(?:wer)?[.:]+(?:\*\*)?\s+", ""),
    (
        r"^(?:\\text(?:bf)?\s*\{\s*)?(?:so )?(?:the )?(?:final )?(?:answers?|solutions?)(?: is| are|:| =)+ *:?\s*\}?",
        "",
    ),
    (r"^(?:negative|minus) ", "-"),
    (r"^(?:\\text\s*\{\s*)?all real numbers except (?:x ?= ?)?\}?\s*(.+)$", r"\\reals \\setminus \\{\1\\}"),
    (r"^\{\(([A-F])\)\}", r"(\1)"),
    (r"^(?:option|choice) (?=\(?[A-Z]\)?$)", ""),
)


def _command(name: str) -> str:
    meant = _SYNONYMS.get(name, name)
    if meant in ("and", "or"):
        return f" {meant} "
    if meant in ("{", "}"):
        return "\\" + meant
    return "\\" + meant if meant.isalpha() else meant


def _folded(text: str) -> str:
    """Without the forms of Unicode that look the same. Raised digits become exponents, which NFKC would not keep."""
    if text.isascii():
        return text
    text = _SMALL_FRACTION.sub(lambda m: unicodedata.normalize("NFKC", rf"\frac{{{m[1]}}}{{{m[2]}}}"), text)
    parts = []
    text = unicodedata.normalize("NFC", text)
    for form, run in groupby(text, lambda c: unicodedata.decomposition(c).partition(" ")[0]):
        folded = "".join(map(_folded_character, run))
        mark = {"<super>": "^", "<sub>": "_"}.get(form, "")
        parts.append(f"{mark}{{{folded}}}" if mark else folded)
    return "".join(parts)


_SMALL_FRACTION = re.compile("([\u2070\xb9\xb2\xb3\u2074-\u2079]+)[\u2044/]([\u2080-\u2089]+)")


def _folded_character(c: str) -> str:
    if c.isascii() or c in "°º′\u2009\u202f\u00a0":
        return c
    if c.isdecimal():
        return str(unicodedata.decimal(c))
    form, plain = unicodedata.decomposition(c).partition(" ")[0], unicodedata.normalize("NFKC", c)
    if form == "<circle>":
        return c  # a choice, which is no number
    above, slash, below = plain.partition("\u2044")
    return f"\\frac{{{above}}}{{{below}}}" if slash and below else plain


def _without_dollars(text: str) -> str:
    r"""Dollar signs around formulas go; those of amounts become one sign of their own."""
    text = text.replace("\\$", "¤").replace("$$", "$")
    if text.count("$") == 1:
        return text.replace("$", "¤")
    return text.replace("$", " ")


def _unboxed(text: str) -> str:
    r"""Without \boxed{...}, where each box is a whole answer. Raises Unreadable where one is a part of a formula."""
    while (start := text.find("\\boxed")) >= 0:
        match = re.compile(r"\\boxed\s*\{").match(text, start)
        before = text[:start].rstrip(" ")
        if match is None or (
            before and not re.search(r"[,;=:({]$|(?<![A-Za-z])(?:and|or|is)\s*\}?$", before)
        ):
            raise Unreadable("a box in the midst of a formula")
        end = closing_brace(text, match.end())
        after = text[end + 1 :].lstrip(" ")
        if after and not re.match(r"[,;.})]|\\text|\\%|[A-Za-z]", after):
            raise Unreadable("a box in the midst of a formula")
        text = f"{text[:start]} {text[match.end() : end]} {text[end + 1 :]}"
    return text


def variants(text: str) -> list[str]:
    """The text with commas between thousands, outside of brackets, taken out; and as it is."""
    merged, last = [], 0
    for match in _COMMA_GROUPS.finditer(text):
        before = text[: match.start()]
        if len(re.findall(r"[(\[]|\\\{", before)) <= len(re.findall(r"[)\]]|\\\}", before)):
            merged += [text[last : match.start()], match[0].replace(",", "")]
            last = match.end()
    if not merged:
        return [text]
    number = "".join(merged) + text[last:]
    # "100,200,300" may be a list; "14,500" is none, nor is one that holds 000.
    return [number, text] if re.fullmatch(r"[1-9]\d{0,2}(,[1-9]\d\d){2,}", text) else [number]
