ENVIRONMENT = {"LOG_LEVEL": "info", "PRICE": "${price}"}
