"""Units after a number: which ones mean the same, and how many of one make another."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from o1_assets.problems.answers.tokens import Unreadable

# Quantity -> units of it: size in the first of them, and spellings. Singular forms; "s" at the end is taken off.
_MEASURES: dict[str, str] = {
    "length": "1 m meter metre; 1/1000 mm millimeter millimetre; 1/100 cm centimeter centimetre; 1/10 dm decimeter;"
    " 1000 km kilometer kilometre; .0254 in inch inches; .3048 ft foot feet; .9144 yd yard; 1609.344 mi mile",
    "time": "1 s sec second; 60 min minute; 3600 h hr hour; 86400 day; 604800 wk week; 1/1000 ms millisecond",
    "months": "1 mo month; 12 yr year; 120 decade; 1200 century centuries",
    "mass": "1 g gm gram gramme; 1/1000 mg milligram; 1000 kg kilogram kilo; 28.349523125 oz ounce;"
    " 453.59237 lb lbs pound; 1000000 tonne",
    "volume": "1 l L liter litre; 1/1000 ml milliliter millilitre",
    "cups": "1 cup; 2 pint pt; 4 quart qt; 16 gallon gal",
    "money": "1 dollar usd buck; 1/100 cent ¢ penny pennies",
    "euro": "1 euro eur",
    "angle": "1 degree deg",
    "radian": "1 radian rad",
    "square": "1 unit",
}
_SPELLINGS: dict[str, tuple[str, Fraction]] = {}
for _quantity, _units in _MEASURES.items():
    for _unit in _units.split("; "):
        _size, *_names = _unit.split()
        _SPELLINGS |= dict.fromkeys(_names, (_quantity, Fraction(_size)))

_ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "mph": ("mile", "/", "hour"), "kph": ("km", "/", "h"), "kmh": ("km", "/", "h"), "sq": ("square",),
    "cc": ("cm", "^3"), "sec": ("second",),
}  # fmt: skip
MULTIPLIERS = {
    word + plural: Fraction(size)
    for size, words in {
        "2": "pair couple", "12": "dozen", "20": "score", "100": "hundred", "144": "gross", "1000": "thousand",
        "100000": "lakh",
        "1000000": "million mn", "10000000": "crore", "1000000000": "billion bn", "1000000000000": "trillion",
        "1000000000000000": "quadrillion", "1000000000000000000": "quintillion",
        "1/2": "half", "1/3": "third", "1/4": "fourth quarter", "1/5": "fifth", "1/8": "eighth", "1/10": "tenth",
        "1/100": "hundredth", "1/1000": "thousandth", "1/1000000": "millionth",
    }.items()
    for word in words.split()
    for plural in ("", "s")
} | {"tens": Fraction(10), "halves": Fraction(1, 2)}  # fmt: skip
PERCENT = frozenset(["%", "percent", "percents", "pct"])
_CARDINALS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty",
    "fifty", "sixty", "seventy", "eighty", "ninety",
]  # fmt: skip
_ORDINAL = re.compile(
    "(?:.*-)?(?:thi[rn]|four|fif|six|seven|eigh|nin|ten|eleven|twelf|.*teen|.*tie|hundred|.*illion|.*thousand)ths?"
)
# Words that make another number of the one before them, in a way that is not computed here, or deny it.
NO_UNITS = frozenset([
    *_CARDINALS,
    "factorial", "plus", "minus", "negative", "below", "over", "divided", "multiplied", "mod", "modulo",
    "inverse", "reciprocal", "root", "base", "radix", "doubled", "triple", "tripled", "quadrupled", "twice",
    "halved", "less", "more", "than", "greater", "choose", "exponent", "increased", "decreased", "raised",
    "kilo", "mega", "giga", "tera", "milli", "micro", "nano", "mil", "mln", "bln", "grand", "thousands",
    "ppm", "ppb", "bps", "permille", "googol", "zillion", "myriad", "thou", "grosses", "mille", "basis",
    "percentage", "octal", "hex", "hexadecimal", "binary", "complex", "imaginary", "cosine", "sine",
    "tangent", "modulus", "least", "most", "nearly", "almost", "around", "never", "none", "nor", "neither",
    "except", "wrong", "incorrect", "not", "no", "double", "false", "invalid", "impossible", "isn", "isnt",
    "unlikely", "untrue", "opposite", "unequal", "without", "instead", "maybe", "perhaps", "but", "half",
    "fold", "unless", "or", "and", "fewer", "short", "above", "under", "ago", "loss", "debt", "off", "away",
    "by", "mixed", "dozenth", "if", "when", "provided",
])  # fmt: skip
# The same in other languages, without accents: thousands, millions, dozens, per cent, fractions, and denials. A bare
# number takes any other word behind it, so that each of these would be accepted for another number than it says.
_FOREIGN_NUMBERS = re.compile(
    r"millionen|mill?iarden?|mill?iards?|tausende?|hunderte?|dutzende?|prozent\w*|halbe[nrs]?|drittel|viertel|"
    r"(?:funf|sechs|sieb|acht|neun|zehn|zwanzigs|hunderts|tausends)tel|paare?|nicht|falsch|mal|grosser|kleiner|mehr|weniger|"
    r"milliers?|douzaines?|centaines?|pourcent|moitie|(?:dix|cent|mill)iemes?|fois|"
    r"mill?on(?:es)?|millares|cientos?|docenas?|porciento|mitad|tercios?|decim[oa]s?|centesim[oa]s?|milesim[oa]s?|"
    r"milhoes|milhao|milhares|bilhoes|bilhao|duzias?|metade|veces|vezes|volte|"
    r"mila|milion[ei]|miliard[io]|centinaia|dozzin[ae]|decimi|terzi|mezz[oi]|"
    r"duizend|miljoen|miljard|honderd|dozijn|procent\w*|derden?|tienden?|helft|keer|"
    r"tusen|tusind|miljon(?:er)?|miljarder|millioner|milliarder|hundra|hundrede?|prosent\w*|dussin|"
    r"(?:tredje|tion|tiende|hundra|tusen)del\w*|"
    r"tysi[ae]c\w*|milion\w*|miliard\w*|setek|setki|tuzin\w*|polow\w*|dziesiat\w*|razy|"
    r"tisic\w*|stovek|tucet|polovin\w*|(?:deset|set|tret|ctvrt)in\w*|krat|"
    r"yuz(?:de)?|milyon|milyar|duzine|yarim|bucuk|kat|ezer|szaz(?:alek)?|millio|tized|szazad|"
    r"nghin|ngan|trieu|tram|mii|milioane|sut[ae]|procente|jumatate|tuha[tn]\w*|miljoona\w*|tusina\w*|puoli|"
    r"(?:тысяч|тис|тыс|хиляд|хиљад|мил+ион|мильон|мільйон|мил+иард|мільярд|млн|млрд|процент|відсот|посто|"
    r"десят|сот|стотин|трет|четверт|пят|шест|седьм|восьм|девят|половин|полтор|дюжин|сантис|минус|мінус|раз)\w*|"
    r"пар[аыуи]?|не|нет|ні|плюс|больше|меньше|менше|більше"
)
_LATIN, _CYRILLIC = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+"), re.compile("[\u0400-\u052f]+")
# Letters of Latin that are no letter of ASCII with an accent.
_PLAIN = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ŀ": "l", "ĸ": "k",
                        "ŋ": "n", "ſ": "s", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"})  # fmt: skip
_MOST_WORDS = 8
_POWERS = {"square": 2, "cubic": 3}
_AFTER = {"squared": 2, "cubed": 3}
LETTER_UNITS = frozenset("mgshlLJNWVACF")
_PLURALS = {"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "feet": "foot",
            "geese": "goose", "teeth": "tooth", "leaves": "leaf", "loaves": "loaf", "halves": "half"}  # fmt: skip
_NO_UNIT = frozenset(["of", "the", "a", "an", "total", "each", "old"])
SHORT_UNITS = frozenset(_SPELLINGS) | {
    "am", "pm", "sq", "cc", "or", "and", "th", "st", "nd", "rd", "no", "of", "to", "is", "on", "up",
}  # fmt: skip
"""Short runs of letters that are read as a word rather than as a product of symbols."""


def _change_number(words: list[str]) -> bool:
    """Whether words behind a number say that another one is meant, as in "5 tenths", or that it is not."""
    lower = [word.lower() for word in words]
    if any(_in_other_words(word) for word in lower):
        return True
    # A third grader is no third.
    fraction = _ORDINAL.fullmatch(lower[-1]) or any(_ORDINAL.fullmatch(w) and w[-1] == "s" for w in lower)
    return bool(fraction) or not NO_UNITS.isdisjoint(lower)


def _in_other_words(word: str) -> bool:
    """Whether a word of any language changes the number before it, or may: one whose number words are not known here,
    and one that mixes alphabets, in which "million" can be written to look like itself."""
    if word.isascii():
        return _FOREIGN_NUMBERS.fullmatch(word) is not None
    if _CYRILLIC.fullmatch(word):
        return _FOREIGN_NUMBERS.fullmatch(word) is not None
    if not _LATIN.fullmatch(word):
        return True
    decomposed = unicodedata.normalize("NFD", word.translate(_PLAIN))
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    known = plain in MULTIPLIERS or plain in NO_UNITS or plain in PERCENT
    return known or not plain.isascii() or _FOREIGN_NUMBERS.fullmatch(plain) is not None


@dataclass(frozen=True)
class Unit:
    """A product of units. size: how many of the basic ones it is, as 1/10000 for cm^2 with ("length", 2).

    >>> read_unit(["km", "/", "h"]).powers, read_unit(["apples"]).powers
    ((('length', 1), ('time', -1)), (('apple', 1),))
    """

    powers: tuple[tuple[str, int], ...]
    size: Fraction


def read_unit(words: list[str]) -> Unit:
    """The unit that words, "/" and exponents such as "^2" write. A noun that is no measure is a unit of its own.

    Raises Unreadable where the words are no unit, as in "5 squared".
    """
    if len(words) > _MOST_WORDS or _change_number(words):
        raise Unreadable("no unit")
    powers: dict[str, int] = {}
    size = Fraction(1)
    sign, factor, last = 1, 1, ""
    expanded = [part for word in words for part in _ABBREVIATIONS.get(word.lower(), (word,))]
    for index, word in enumerate(expanded):
        lower = word.lower() if len(word) > 1 else word  # T is tesla, t a tonne
        if lower in ("/", "per"):
            sign = -1
        elif lower in _POWERS:
            factor = _POWERS[lower]
        elif lower in _AFTER or lower.startswith("^"):
            if not last or (lower[0] == "^" and not re.fullmatch(r"\^(-?[0-9])?", lower)):
                raise Unreadable("a power of no unit, or no power")
            power = _AFTER.get(lower) or int(lower[1:] or "1")
            name, step = _base(last)
            powers[name] += sign * (power - 1)
            size *= step ** (sign * (power - 1))
        elif lower not in _NO_UNIT and not (
            lower == "in" and expanded[index + 1 :][:1] in (["total"], ["all"])
        ):
            last = lower
            name, step = _base(last)
            powers[name] = powers.get(name, 0) + sign * factor
            size *= step ** (sign * factor)
            factor = 1
    if powers and not any(powers.values()):
        raise Unreadable("a ratio of two units")  # 5 km per m
    return Unit(tuple(sorted((name, power) for name, power in powers.items() if power)), size)


def _base(word: str) -> tuple[str, Fraction]:
    """The basic unit behind a word and how many of it the word is."""
    for form in (word, *_singulars(word)):
        if form in _SPELLINGS:
            return _SPELLINGS[form]
    return next(iter(_singulars(word)), word), Fraction(1)


def _singulars(word: str) -> list[str]:
    if word in _PLURALS:
        return [_PLURALS[word]]
    if word.endswith("ies") and len(word) > 4:
        return [word[:-3] + "y"]
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return [word[:-2]]
    return [word[:-1]] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else []
