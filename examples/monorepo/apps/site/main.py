"""The page customers see."""

from html import escape

from shared.service import ask, serve


def page():
    rows = "".join(
        f"<li>{escape(offer['name'])}: {offer['price']:.2f} {escape(offer['currency'])}, "
        f"{'stock unknown' if offer['left'] is None else offer['left'] or 'sold out'}</li>\n"
        for offer in ask("GATEWAY_URL", "/offers")
    )
    return f"<!doctype html>\n<meta charset=utf-8>\n<title>Shop</title>\n<h1>Shop</h1>\n<ul>\n{rows}</ul>\n"


serve({"/": page})
