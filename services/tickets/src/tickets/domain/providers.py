"""Domains under which strangers to each other have their addresses: public mail providers, and public suffixes."""

from __future__ import annotations

from typing import Final

SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gob", "gouv", "gov", "govt", "mil", "ne", "net", "nom", "or", "org", "sch"})
"""Below a country's top-level domain anybody may register under these: `co.uk`, `com.br`, `or.jp`."""
COUNTRY_LABEL: Final = 2
FAMILIES: Final = frozenset({"aol", "gmx", "hotmail", "live", "outlook", "yahoo", "yandex"})
"""Providers with a domain in many countries: `yahoo.co.uk`, `hotmail.it`."""
PROVIDERS: Final = frozenset(
    """
    gmail.com googlemail.com icloud.com me.com mac.com msn.com ymail.com rocketmail.com proton.me protonmail.com pm.me zoho.com mail.com
    fastmail.com tutanota.com tuta.io hey.com mail.ru inbox.ru bk.ru list.ru qq.com 163.com 126.com sina.com naver.com daum.net
    libero.it virgilio.it tin.it alice.it tim.it tiscali.it email.it inwind.it iol.it blu.it fastwebnet.it poste.it aruba.it
    pec.it legalmail.it pec.aruba.it postecert.it postacertificata.gov.it pec.libero.it
    web.de t-online.de freenet.de mailbox.org posteo.de bluewin.ch
    orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr
    telefonica.net terra.es sapo.pt wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz
    btinternet.com sky.com virginmedia.com talktalk.net ntlworld.com
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net shaw.ca rogers.com
    bigpond.com optusnet.com.au xtra.co.nz uol.com.br bol.com.br terra.com.br rediffmail.com
    """.split()  # noqa: SIM905 -- a list of a hundred quoted words is harder to keep than lines of words
)


def is_public_suffix(domain: str) -> bool:
    """A sober rule instead of the whole Public Suffix List: a single label, or `co`, `com`, … below a country's domain."""
    labels = domain.split(".")
    if len(labels) == 1:
        return True
    return len(labels) == 2 and len(labels[1]) == COUNTRY_LABEL and labels[0] in SECOND_LEVEL


def is_public_provider(domain: str) -> bool:
    """Whether anybody can get an address at this domain; what is not known here counts as somebody's own."""
    if domain in PROVIDERS:
        return True
    first, _, rest = domain.partition(".")
    return first in FAMILIES and ("." not in rest or is_public_suffix(rest))
