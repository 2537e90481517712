"""How many of each product are left."""

from shared.service import serve

serve({"/stock": lambda: {"p1": 12, "p2": 0, "p3": 240}})
