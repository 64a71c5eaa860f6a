"""The filter for what a public page must not show, whatever a model has written.

Words and phrases are data (see `lexicon`). What has a form, such as links, numbers and keys, is a pattern here. No
pattern repeats a repetition, so that the time for a text grows with its length only.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable

from service.domain import Rejection
from service.llm.lexicon import lexicon, spelt
from service.llm.look_alikes import is_overloaded, mixes_alphabets, readings

# A scheme counts only when something follows it directly, because "three kinds of data: …" is a sentence.
_LINK = re.compile(
    r"://|\bwww\.|\b(?:javascript|data|vbscript|mailto|tel|sms|magnet|blob|file|intent):[^\s,;.]"
    r"|[\[({] ?(?:dot|\.) ?[\])}]| dot (?:com|net|org|io|info|ru|cn|de|xyz)\b",
    re.IGNORECASE,
)
# A name with a dot is a domain when its end is one of these, in lower case or all in capitals: "Node.js" has another
# end, and a sentence after a missing space begins with a capital.
_ENDS = (
    "com|net|org|edu|gov|mil|int|info|biz|name|io|ai|app|dev|co|me|tv|xyz|online|site|shop|store|club|live|link|click|"
    "page|cloud|tech|blog|news|wiki|top|vip|pro|win|bid|loan|work|space|website|host|fun|icu|cyou|buzz|gle|ly|gl|gg|be|"
    "eu|uk|us|ca|au|nz|ie|de|at|ch|li|nl|fr|es|pt|it|gr|se|no|dk|fi|is|ee|lv|lt|pl|cz|sk|hu|ro|bg|si|hr|rs|ua|by|ru|su|"
    "tr|il|ae|sa|ir|iq|eg|ma|tn|ng|ke|za|in|pk|bd|lk|cn|hk|tw|jp|kr|vn|th|my|sg|id|ph|br|ar|mx|cl|pe|ve|uy|ec|cc|ws|to|"
    "fm|tk|ml|ga|cf|gq|pw|st|sh|ms|nu|la|рф|бел|укр|中国|公司"
)
_DOMAIN = re.compile(
    rf"(?<![\w.@-])((?:[^\W_](?:[\w-]{{0,62}})\.){{1,5}})({_ENDS}|{_ENDS.upper()}|Com|Org|xn--\w+)(?![\w-]|\.\w)(/\w)?"
)
# Ends of domains that are also those of files, members of objects or English words: "deploy.sh" and "user.id" are no
# links, "evil.sh/path" and "get.evil.sh" are.
_AMBIGUOUS_ENDS = frozenset({
    "app", "ar", "cc", "cf", "click", "dev", "fun", "host", "id", "in", "info", "int", "is", "la", "link",
    "live", "me", "ml", "ms", "my", "name", "news", "no", "page", "pl", "pro", "rs", "sh", "so", "st", "to",
    "top", "win", "work",
})  # fmt: skip
# Names of the services, as they stand in policies and regions, and of what the page is about.
_OWN_DOMAIN = re.compile(
    r"(?:[a-z0-9-]+\.(?:[a-z]{2}-[a-z]+-\d\.)?)?amazonaws\.com|amazon\.com|aws\.amazon\.com|asp\.net",
    re.IGNORECASE,
)

_EMAIL = re.compile(
    r"[\w+-]@(?:[\w-]{1,63}\.)[\w-]|\w (?:at|\[at\]|\(at\)) \w{1,63}(?: dot | ?\[dot\] ?| ?\(dot\) ?)\w"
)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9a-f]{3}:[0-9a-f:]{2,34}(?![\w:])", re.IGNORECASE)
_POSTAL = re.compile(
    r"\b\d{1,5}[A-Za-z]? (?:[A-Z][\w'-]{1,30} ){1,2}(?:Street|Avenue|Boulevard|Blvd|Road|Lane|Drive|Court)\b"
    r"|\b[A-ZÄÖÜ][a-zäöüß]{2,30}(?:straße|strasse|str\.|weg|platz|gasse|allee|straat|laan|plein|gracht) \d{1,4}\b"
    r"|\b\d{1,4},? (?:bis )?(?:rue|avenue|boulevard|impasse|chemin) (?:d|l|[A-Z])"
    r"|\b(?:Calle|Avenida|Paseo|Rua|Via|Viale|Piazza|Corso|ul\.|ulica) (?:\w{1,3} )?[A-ZŁŚŻ][\w ]{2,30},? \d{1,4}\b"
    r"|\bул\. ?\w{2,30},? (?:д\. ?)?\d|〒 ?\d{3}|丁目\d"
    r"|\b[A-Z][a-z]{1,20}, [A-Z]{2} \d{5}\b|\bP\.? ?O\.? Box \d"
)  # fmt: skip

_PHONE = re.compile(
    r"\+\d[\d ()./-]{7,}\d|\(\d{3}\) ?\d{3}[ -]\d{4}|(?<![\d.,-])\d{3}[ .-]\d{3}[ .-]\d{4}(?![\d.,-])"
    r"|\(0\d{1,4}\) ?\d{3}"
    r"|(?<![\d.,:-])(?<!\d )0\d{2,4}[ /-]\d{3,4}[ /-]?\d{2,5}(?![\d:])|(?<![\d.,:-])0\d(?: \d\d){4}\b"
    r"|(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"
)
_CARD = re.compile(r"(?<!\d)\d{4}([ -])\d{4}\1\d{4}\1\d|(?<!\d)3[47]\d{2}[ -]\d{6}[ -]\d{5}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){3,7}[A-Z0-9]{0,3}\b")
# So many digits in a row are someone's number, unless they follow a decimal point.
_LONG_NUMBER = re.compile(r"(?<![\d.,])\d{11,}")
# The largest numbers of 64 bits, and the accounts in AWS's own documentation.
_KNOWN_NUMBERS = frozenset(
    {"18446744073709551615", "9223372036854775807", "123456789012", "111122223333", "000000000000"}
)

_KEY = re.compile(
    r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12}|\bsk-[\w-]{12}|\b[rs]k_(?:live|test)_\w{8}|\bgh[opsur]_\w{16}"
    r"|\bgithub_pat_\w|\bglpat-[\w-]{8}|\bxox[abeprs]-[\w-]{8}|\bAIza[\w-]{20}|\beyJ[\w-]{8,}\.[\w-]{8}|\bnpm_\w{20}"
    r"|-----BEGIN|\bBEGIN (?:\w+ )?PRIVATE KEY|(?<![\w-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{24}"
)
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{28,}")
# Secret keys of AWS have this length, and slashes among their characters.
_SECRET_KEY = re.compile(r"[A-Za-z0-9+/]{40}")
# Browsers take it for a dot between the parts of a domain. Before a capital it ends a sentence.
_FULL_STOP = re.compile(r"(?<=\w)[。．｡](?=[a-z])")


class ContentFilter:
    """Names the reason why a text must not be shown.

    `telltales` are regular expressions for the names by which a model would reveal itself. All of them apply to every
    model, because a model may claim to be another vendor's.
    """

    def __init__(self, telltales: Iterable[str]) -> None:
        names = "|".join(("language model", *telltales))
        self._named = re.compile(rf"\b(?:{names})\b", re.IGNORECASE)
        self._spelt_name = re.compile(names, re.IGNORECASE)

    def reason(self, text: str) -> Rejection | None:
        """The reason why a cleaned text, in NFC and on one line, must not be shown, or None."""
        if is_overloaded(text):
            return Rejection.COMBINING_MARKS
        if mixes_alphabets(text):
            return Rejection.MIXED_SCRIPT
        return _form(text if text.isascii() else _typed(text)) or self._wording(text)

    def _wording(self, text: str) -> Rejection | None:
        forms = readings(text)
        for form in forms:
            reason = lexicon().reason(form)
            if reason is not None:
                return Rejection(reason)
        return Rejection.SELF_IDENTIFICATION if self._is_named((text, *forms)) else None

    def _is_named(self, forms: Iterable[str]) -> bool:
        """Whether the name of a model or of a vendor is in one of the forms, also in single letters ("G P T")."""
        return any(self._named.search(form) or any(map(self._spelt_name.search, spelt(form.split()))) for form in forms)


def _typed(text: str) -> str:
    """The text as one would type it, without full width and the like."""
    return _FULL_STOP.sub(".", unicodedata.normalize("NFKC", text))


def _form(text: str) -> Rejection | None:
    """The reason that lies in the form of a text, or None."""
    if _KEY.search(text) or any(map(_is_token, _TOKEN.findall(text))):
        return Rejection.KEY
    if _EMAIL.search(text) or _POSTAL.search(text) or _has_public_address(text):
        return Rejection.ADDRESS
    if _LINK.search(text) or any(map(_is_link, _DOMAIN.finditer(text))):
        return Rejection.LINK
    return Rejection.NUMBER if _has_number(text) else None


def _is_token(word: str) -> bool:
    """Whether a long word is random: it has digits and letters of both cases, and is no path or name in parts."""
    kinds = (any(map(kind, word)) for kind in (str.isdigit, str.islower, str.isupper))
    is_random = _SECRET_KEY.fullmatch(word) is not None or max(map(len, re.split(r"[-_/]", word))) >= 20
    return all(kinds) and is_random


def _is_link(domain: re.Match[str]) -> bool:
    labels, end, path = domain.groups()
    if path:
        return True
    if _OWN_DOMAIN.fullmatch(labels + end):
        return False
    return end not in _AMBIGUOUS_ENDS or labels.count(".") > 1


def _has_public_address(text: str) -> bool:
    """Whether an IP address is in the text that somebody may own, unlike 10.0.0.0/8, 127.0.0.1 and documentation's."""
    found = (*_IPV4.findall(text), *_IPV6.findall(text))
    return any(map(_is_public, found))


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.rstrip(":")).is_global
    except ValueError:
        return False


def _has_number(text: str) -> bool:
    if _PHONE.search(text) or _CARD.search(text) or any(map(_is_account, _IBAN.findall(text))):
        return True
    return any(number not in _KNOWN_NUMBERS for number in _LONG_NUMBER.findall(text))


def _is_account(iban: str) -> bool:
    return sum(map(str.isdigit, iban)) >= 10
