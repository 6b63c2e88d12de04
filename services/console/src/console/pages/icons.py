"""The icons of the pages, as inline SVG: drawn in the text's colour, 20 by 20."""

from __future__ import annotations

from markupsafe import Markup, escape

_PATHS = {
    "flame": (
        "M10.4 1.2c.5 3.200-3.900 5-5.200 8.800-1.300 4 1.300 8.300 5 8.800 3.900.5 6.800-2.500 6.800-6.200 "
        "0-2.700-1.300-4.700-2.700-6.200-.1 1.500-.6 2.500-1.500 3.100.3-3.500-.6-6.500-2.400-8.300z"
    ),
    "tickets": (
        "M3 6.500A1.500 1.500 0 0 1 4.500 5h11A1.500 1.500 0 0 1 17 6.500V8a2 2 0 0 0 0 4v1.500a1.500 1.500 0 0 "
        "1-1.500 1.500h-11A1.500 1.500 0 0 1 3 13.500V12a2 2 0 0 0 0-4zM12 5v2M12 9v2M12 13v2"
    ),
    "mails": "M3 5.500h14v9H3zM3 6l7 5.500L17 6",
    "contacts": "M10 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 16.500c.4-3 2.700-4.500 6-4.500s5.600 1.500 6 4.500",
    "mailboxes": "M3 11.500 5 4.500h10l2 7v4H3zM3 11.500h4a3 3 0 0 0 6 0h4",
    "senders": "M17 3 9 11M17 3l-5 14-3-6-6-3z",
    "outgoing": "M3 5.500h14v9H3zM6.500 10h7M10.500 7l3 3-3 3",
    "templates": "M5 2.500h7l3.500 3.500v11.500H5zM12 2.500V6h3.500M7.500 9.500h5M7.500 12.500h5",
    "spam": "M6.700 3h6.600L17 6.700v6.600L13.300 17H6.700L3 13.300V6.700zM10 6.500v4.500M10 13.500v.1",
    "status": "M2.500 10.500h3l2-5 4 9 2.500-6 1 2h2.500",
    "tokens": "M12.500 11.500a4 4 0 1 0-3.600-2.300L3 15v2h2.500v-2h2v-2l2.100-2.100c.9.400 1.800.600 2.900.600zM13.600 6.500v.1",
    "webhooks": "M8.500 5.500h6v6M14.500 5.500 5 15M3 8.500V17h8.500",
    "attachment": "M14.500 9.500 9.300 14.700a3 3 0 0 1-4.200-4.200l6-6a2 2 0 0 1 2.800 2.800l-5.800 5.800a1 1 0 0 1-1.400-1.400L12 6.400",
    "up": "M10 16V5M5.500 9.500 10 5l4.500 4.500",
    "down": "M10 4v11M5.500 10.500 10 15l4.500-4.500",
    "folder": "M2.500 5h5l1.500 2h8.500v9h-15z",
    "search": "M8.500 14a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11zM12.500 12.500 17 17",
    "erasures": "M3.500 12 11 4.500l5.500 5.500-6 6H7zM7.300 8.200l5.500 5.500M10.500 16H17",
    "settings": "M3 6h8M15 6h2M3 14h2M9 14h8M11 6a2 2 0 1 0 4 0 2 2 0 0 0-4 0M5 14a2 2 0 1 0 4 0 2 2 0 0 0-4 0",
    "out": "M8 4H4v12h4M12.500 6.500 16 10l-3.500 3.500M16 10H8",
    "good": "M4 10.500 8 14.500 16 5.500",
    "bad": "M10 3 18 16.500H2zM10 8v4M10 14.200v.1",
}


def icon(name: str, title: str = "") -> Markup:
    """The icon. With a title it is told to screen readers; without one it is decoration beside a text."""
    body = Markup('<path d="{}"/>').format(_PATHS[name])
    described = Markup(' role="img"><title>{}</title>').format(escape(title)) if title else Markup(' aria-hidden="true" focusable="false">')
    return Markup('<svg class="icon icon-{}" viewBox="0 0 20 20" width="20" height="20"').format(name) + described + body + Markup("</svg>")
