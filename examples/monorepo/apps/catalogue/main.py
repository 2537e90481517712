"""What the shop sells, by product number."""

from shared.service import serve

PRODUCTS = {"p1": "Teapot", "p2": "Lamp", "p3": "Notebook"}

serve({"/products": lambda: PRODUCTS})
