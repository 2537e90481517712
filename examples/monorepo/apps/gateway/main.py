"""Catalogue, prices and stock as one answer. Works without stock, for a while."""

from shared.service import ask, serve


def offers():
    products = ask("CATALOGUE_URL", "/products")
    prices = ask("PRICES_URL", "/prices")
    try:
        stock = ask("STOCK_URL", "/stock")
    except (OSError, ValueError):
        stock = {}
    return [
        {"name": name, "price": prices["prices"][number], "currency": prices["currency"], "left": stock.get(number)}
        for number, name in products.items()
    ]


serve({"/offers": offers})
