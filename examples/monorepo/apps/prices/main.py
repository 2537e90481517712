"""What each product costs, in the currency of this deployment."""

import os

from shared.service import serve

CURRENCY = os.environ["CURRENCY"]
PRICES = {"p1": 24.0, "p2": 59.5, "p3": 4.9}

serve({"/prices": lambda: {"currency": CURRENCY, "prices": PRICES}})
